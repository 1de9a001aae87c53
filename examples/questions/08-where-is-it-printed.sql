-- Where do the figures of a class come from?
-- A row a printed cell of class A-1 in the latest report of each deal: its text, its line and columns in the source,
-- and the rule that read it. Write another class into the query; `etl explain` shows the lines themselves.
WITH latest AS (
  SELECT deal, max(distribution_date) AS distribution_date FROM reports GROUP BY deal
)
SELECT
  records.deal,
  records.distribution_date,
  records.class_key,
  records.field,
  records.raw,
  records.value,
  records.unit,
  records.line,
  records.column_start,
  records.column_end,
  records.column_label,
  records.rule,
  reports.source,
  reports.source_sha256
FROM records
JOIN latest ON records.deal = latest.deal AND records.distribution_date = latest.distribution_date
JOIN reports
  ON records.deal = reports.deal
  AND records.distribution_date = reports.distribution_date
  AND records.report_id = reports.report_id
WHERE records.table = 'classes' AND records.class_key = 'A-1'
ORDER BY records.deal, records.report_id, records.record_no
