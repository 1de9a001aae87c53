-- What was each class paid this month, and what was it not paid?
-- A row a class, and one for the printed total, of the latest distribution of each deal; all figures are as printed.
WITH latest AS (
  SELECT deal, max(distribution_date) AS distribution_date FROM reports GROUP BY deal
)
SELECT
  classes.deal,
  classes.distribution_date,
  classes.class_id,
  classes.principal_distribution,
  classes.interest_distribution,
  classes.total_distribution,
  classes.interest_shortfall,
  classes.realized_loss
FROM classes
JOIN latest ON classes.deal = latest.deal AND classes.distribution_date = latest.distribution_date
ORDER BY classes.deal, classes.report_id, classes.section NULLS FIRST, classes.class_key
