-- Does each report tie, and where it does not, what is off by how much, in which lines?
-- A row a failed check; a report that ties has one row without a check. `etl check` also compares the months.
SELECT
  reports.deal,
  reports.distribution_date,
  reports.checks_passed,
  reports.checks_failed,
  checks.check AS failed_check,
  checks.subject,
  checks.expected,
  checks.actual,
  checks.difference,
  checks.lines,
  reports.source
FROM reports
LEFT JOIN checks
  ON reports.deal = checks.deal
  AND reports.distribution_date = checks.distribution_date
  AND reports.report_id = checks.report_id
  AND checks.outcome = 'fail'
ORDER BY
  reports.deal, reports.distribution_date, reports.report_id, failed_check NULLS FIRST, checks.subject NULLS FIRST
