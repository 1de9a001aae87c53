-- What has the deal lost, this month and to date, and how fast?
-- A row a distribution. Losses are as printed; the rates are computed: losses of the month by the pool's beginning
-- balance, losses to date by the original balance of the certificates.
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
  CAST(100 * CAST(losses.current_losses AS DECIMAL(20, 4)) / NULLIF(pools.beginning_balance, 0) AS DECIMAL(20, 6))
    AS percent_of_pool_this_month,
  CAST(100 * CAST(losses.losses_to_date AS DECIMAL(20, 4)) / NULLIF(issued.original_balance, 0) AS DECIMAL(20, 6))
    AS percent_of_issue_to_date
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
