-- What is missing: reports of a deal, numbers that no rule claimed, documents that could not be read?
-- A row a deal, then a row a rejected document with the reason. A deal reports every so many months as lie most often
-- between its reports, if they do twice, else every month; `etl show` also looks at the days that interest is for.
WITH steps AS (
  SELECT
    deal,
    distribution_date,
    numbers_found - numbers_claimed AS unclaimed,
    12 * year(distribution_date) + month(distribution_date)
      - lag(12 * year(distribution_date) + month(distribution_date))
        OVER (PARTITION BY deal ORDER BY distribution_date, report_id) AS months
  FROM reports
),
counted AS (
  SELECT deal, months, row_number() OVER (PARTITION BY deal ORDER BY count(*) DESC, months) AS place
  FROM steps
  WHERE months IN (1, 3, 6, 12)
  GROUP BY deal, months
  HAVING count(*) > 1
),
gaps AS (
  SELECT
    steps.deal,
    steps.distribution_date,
    steps.unclaimed,
    coalesce(counted.months, 1) AS every_months,
    CAST(floor(greatest(steps.months - 1, 0) / coalesce(counted.months, 1)) AS INT) AS missing
  FROM steps
  LEFT JOIN counted ON steps.deal = counted.deal AND counted.place = 1
)
SELECT
  'deal' AS kind,
  deal AS name,
  count(*) AS reports,
  min(distribution_date) AS first_date,
  max(distribution_date) AS last_date,
  max(every_months) AS every_months,
  sum(missing) AS reports_missing,
  sum(unclaimed) AS numbers_unclaimed,
  CAST(NULL AS STRING) AS reason,
  CAST(NULL AS STRING) AS what_to_do
FROM gaps
GROUP BY deal
UNION ALL
SELECT
  'rejected document', source, NULL, NULL, NULL, NULL, NULL, NULL, reason_code, hint
FROM rejects
ORDER BY kind, name
