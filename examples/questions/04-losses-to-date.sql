-- What has the deal lost, this month and to date, and how fast?
-- A row a distribution. Losses are as printed; the rates are computed, exactly: losses of the month by the pool's
-- beginning balance, losses to date by the original balance of the certificates.
WITH losses AS (
  SELECT
    deal,
    distribution_date,
    report_id,
    max(CASE WHEN measure = 'realized_losses_current' THEN value END) AS current_losses,
    max(CASE WHEN measure = 'realized_losses_cumulative' THEN value END) AS losses_to_date
  FROM measures
  WHERE group_id = 'TOTAL' AND measure IN ('realized_losses_current', 'realized_losses_cumulative')
  GROUP BY deal, distribution_date, report_id
),
issued AS (
  SELECT deal, distribution_date, report_id, max(original_balance) AS original_balance
  FROM classes
  WHERE class_key = 'TOTAL'
  GROUP BY deal, distribution_date, report_id
)
SELECT
  losses.deal,
  losses.distribution_date,
  losses.current_losses,
  losses.losses_to_date,
  pools.beginning_balance AS pool_balance,
  issued.original_balance,
  CASE WHEN abs(losses.current_losses) < 100000 * CAST(pools.beginning_balance AS DECIMAL(20, 2)) THEN
    CAST(CAST(
      (
        CAST(losses.current_losses AS DECIMAL(32, 10))
        - CAST(losses.current_losses AS DECIMAL(32, 10)) % (0.000000001 * pools.beginning_balance)
      ) / (0.01 * pools.beginning_balance)
    AS DECIMAL(20, 7)) AS DECIMAL(20, 6))
  END AS percent_of_pool_this_month,
  CASE WHEN abs(losses.losses_to_date) < 100000 * CAST(issued.original_balance AS DECIMAL(20, 2)) THEN
    CAST(CAST(
      (
        CAST(losses.losses_to_date AS DECIMAL(32, 10))
        - CAST(losses.losses_to_date AS DECIMAL(32, 10)) % (0.000000001 * issued.original_balance)
      ) / (0.01 * issued.original_balance)
    AS DECIMAL(20, 7)) AS DECIMAL(20, 6))
  END AS percent_of_issue_to_date
FROM losses
LEFT JOIN pools
  ON losses.deal = pools.deal
  AND losses.distribution_date = pools.distribution_date
  AND losses.report_id = pools.report_id
  AND pools.group_id = 'TOTAL'
LEFT JOIN issued
  ON losses.deal = issued.deal
  AND losses.distribution_date = issued.distribution_date
  AND losses.report_id = issued.report_id
ORDER BY losses.deal, losses.distribution_date, losses.report_id
