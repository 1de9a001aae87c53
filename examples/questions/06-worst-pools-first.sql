-- Which deals have most of their pool 60 days or more behind?
-- A row a deal, by its latest distribution, the worst first. Loans in foreclosure, bankruptcy and real estate owned
-- stand beside: whether the buckets have them too is said in `excludes` of `delinquencies`. The share is computed,
-- exactly.
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
    behind.report_id,
    behind.delinquent_60_plus,
    behind.foreclosure,
    behind.bankruptcy,
    behind.reo,
    pools.ending_balance AS pool_balance,
    CASE WHEN 0.00001 * abs(behind.delinquent_60_plus) < pools.ending_balance THEN
      CAST(CAST(
        (
          CAST(behind.delinquent_60_plus AS DECIMAL(24, 2))
          - CAST(behind.delinquent_60_plus AS DECIMAL(24, 2)) % (0.0000001 * pools.ending_balance)
        ) / (0.01 * pools.ending_balance)
      AS DECIMAL(20, 5)) AS DECIMAL(20, 4))
    END AS percent_60_plus
  FROM latest
  JOIN behind ON latest.deal = behind.deal AND latest.distribution_date = behind.distribution_date
  JOIN pools
    ON behind.deal = pools.deal
    AND behind.distribution_date = pools.distribution_date
    AND behind.report_id = pools.report_id
    AND pools.group_id = 'TOTAL'
)
SELECT
  rank() OVER (ORDER BY percent_60_plus DESC NULLS LAST) AS place,
  deal,
  distribution_date,
  delinquent_60_plus,
  foreclosure,
  bankruptcy,
  reo,
  pool_balance,
  percent_60_plus
FROM shares
ORDER BY place, deal, report_id
