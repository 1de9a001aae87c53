-- What does each class owe, and what part of its original balance is that?
-- A row a class and distribution. Balances are as printed; the factor is computed from them, exactly, to 8
-- decimals.
SELECT
  deal,
  distribution_date,
  class_id,
  original_balance,
  beginning_balance,
  ending_balance,
  CASE WHEN 0.00001 * abs(ending_balance) < original_balance THEN
    CAST(CAST(
      (ending_balance - ending_balance % (0.000000001 * original_balance)) / original_balance
    AS DECIMAL(20, 9)) AS DECIMAL(20, 8))
  END AS factor
FROM classes
WHERE class_key <> 'TOTAL'
ORDER BY deal, distribution_date, report_id, section NULLS FIRST, class_key
