-- Which deals have most of their pool 60 days or more behind?
-- A row a deal, by its latest distribution, the worst first. Loans in foreclosure, bankruptcy and real estate owned
-- stand beside: whether the buckets have them too is said in `excludes` of `delinquencies`.
WITH latest AS (
  SELECT deal, max(distribution_date) AS distribution_date FROM reports GROUP BY deal
),
behind AS (
  SELECT
    deal,
    distribution_date,
    report_id,
    sum(CASE WHEN status = 'delinquent' AND bucket IN ('60-89', '90+') THEN balance END) AS delinquent_60_plus,
    sum(CASE WHEN status = 'foreclosure' AND bucket IS NULL THEN balance END) AS foreclosure,
    sum(CASE WHEN status = 'bankruptcy' AND bucket IS NULL THEN balance END) AS bankruptcy,
    sum(CASE WHEN status = 'reo' AND bucket IS NULL THEN balance END) AS reo
  FROM delinquencies
  WHERE group_id = 'TOTAL'
  GROUP BY deal, distribution_date, report_id
),
shares AS (
  SELECT
    latest.deal,
    latest.distribution_date,
    behind.delinquent_60_plus,
    behind.foreclosure,
    behind.bankruptcy,
    behind.reo,
    pools.ending_balance AS pool_balance,
    CAST(100 * CAST(behind.delinquent_60_plus AS DECIMAL(18, 2)) / NULLIF(pools.ending_balance, 0) AS DECIMAL(20, 4))
      AS percent_60_plus
  FROM latest
  JOIN behind ON latest.deal = behind.deal AND latest.distribution_date = behind.distribution_date
  JOIN pools
    ON behind.deal = pools.deal
    AND behind.distribution_date = pools.distribution_date
    AND behind.report_id = pools.report_id
    AND pools.group_id = 'TOTAL'
)
SELECT rank() OVER (ORDER BY percent_60_plus DESC NULLS LAST) AS place, shares.*
FROM shares
ORDER BY place, deal
