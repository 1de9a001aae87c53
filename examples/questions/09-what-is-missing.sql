-- What is missing: months without a report, numbers that no rule claimed, documents that could not be read?
-- A row a deal, then a row a rejected document with the reason.
WITH steps AS (
  SELECT
    deal,
    distribution_date,
    numbers_found - numbers_claimed AS unclaimed,
    lag(distribution_date) OVER (PARTITION BY deal ORDER BY distribution_date, report_id) AS before
  FROM reports
),
gaps AS (
  SELECT
    deal,
    distribution_date,
    unclaimed,
    CASE
      WHEN before IS NULL THEN 0
      ELSE greatest(
        12 * (year(distribution_date) - year(before)) + month(distribution_date) - month(before) - 1, 0
      )
    END AS months_missing
  FROM steps
)
SELECT
  'deal' AS kind,
  deal AS name,
  count(*) AS reports,
  min(distribution_date) AS first_date,
  max(distribution_date) AS last_date,
  sum(months_missing) AS months_missing,
  sum(unclaimed) AS numbers_unclaimed,
  CAST(NULL AS STRING) AS reason,
  CAST(NULL AS STRING) AS what_to_do
FROM gaps
GROUP BY deal
UNION ALL
SELECT
  'rejected document', source, NULL, NULL, NULL, NULL, NULL, reason_code, hint
FROM rejects
ORDER BY kind, name
