-- What does each class owe, and what part of its original balance is that?
-- A row a class and distribution. Balances are as printed; the factor is computed from them, to 8 decimals.
SELECT
  deal,
  distribution_date,
  class_id,
  original_balance,
  beginning_balance,
  ending_balance,
  CAST(ending_balance / NULLIF(original_balance, 0) AS DECIMAL(20, 8)) AS factor
FROM classes
WHERE class_key <> 'TOTAL'
ORDER BY deal, distribution_date, section NULLS FIRST, class_key
