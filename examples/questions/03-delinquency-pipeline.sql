-- How much of the pool is behind, by status and bucket, and how does that move?
-- A row a distribution, status and bucket of the whole deal. The share is computed, exactly: balance by ending pool
-- balance.
SELECT
  loans.deal,
  loans.distribution_date,
  loans.status,
  loans.bucket,
  loans.loan_count,
  loans.balance,
  pool.ending_balance AS pool_balance,
  CASE WHEN 0.00001 * abs(loans.balance) < pool.ending_balance THEN
    CAST(CAST(
      (loans.balance - loans.balance % (0.0000001 * pool.ending_balance)) / (0.01 * pool.ending_balance)
    AS DECIMAL(20, 5)) AS DECIMAL(20, 4))
  END AS percent_of_pool
FROM delinquencies AS loans
JOIN pools AS pool
  ON loans.deal = pool.deal
  AND loans.distribution_date = pool.distribution_date
  AND loans.report_id = pool.report_id
  AND loans.group_id = pool.group_id
WHERE loans.group_id = 'TOTAL' AND loans.status <> 'outstanding'
ORDER BY loans.deal, loans.distribution_date, loans.report_id, loans.status, loans.bucket NULLS FIRST
