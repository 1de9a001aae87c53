-- What was restated: which reports replaced an earlier version, and what did that change for the classes?
-- A row a class whose figures changed; a version that changed none, and a report that replaced none, have one row
-- without a class.
WITH changed AS (
  SELECT
    now.deal,
    now.distribution_date,
    now.report_id,
    earlier.report_id AS earlier_report_id,
    now.section,
    now.class_id,
    earlier.principal_distribution AS principal_before,
    now.principal_distribution AS principal_now,
    earlier.interest_distribution AS interest_before,
    now.interest_distribution AS interest_now,
    earlier.ending_balance AS ending_balance_before,
    now.ending_balance AS ending_balance_now
  FROM classes AS now
  JOIN superseded_classes AS earlier
    ON now.deal = earlier.deal
    AND now.distribution_date = earlier.distribution_date
    AND coalesce(now.section, '') = coalesce(earlier.section, '')
    AND now.class_key = earlier.class_key
  WHERE now.principal_distribution IS DISTINCT FROM earlier.principal_distribution
    OR now.interest_distribution IS DISTINCT FROM earlier.interest_distribution
    OR now.ending_balance IS DISTINCT FROM earlier.ending_balance
)
SELECT
  reports.deal,
  reports.distribution_date,
  reports.source,
  versions.source AS earlier_source,
  changed.class_id,
  changed.principal_before,
  changed.principal_now,
  changed.interest_before,
  changed.interest_now,
  changed.ending_balance_before,
  changed.ending_balance_now
FROM reports
LEFT JOIN superseded_reports AS versions
  ON reports.deal = versions.deal AND reports.distribution_date = versions.distribution_date
LEFT JOIN changed
  ON reports.report_id = changed.report_id AND versions.report_id = changed.earlier_report_id
ORDER BY
  reports.deal, reports.distribution_date, reports.report_id, versions.report_id NULLS FIRST,
  changed.section NULLS FIRST, changed.class_id NULLS FIRST
