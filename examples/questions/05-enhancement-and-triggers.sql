-- Is the over-collateralization at its target, how much credit enhancement is there, and has a trigger tripped?
-- A row a distribution. All figures are as printed, but what is short: the target less the amount.
WITH protection AS (
  SELECT
    deal,
    distribution_date,
    report_id,
    max(CASE WHEN measure = 'oc_amount' THEN value END) AS oc_amount,
    max(CASE WHEN measure = 'oc_target' THEN value END) AS oc_target,
    max(CASE WHEN measure = 'oc_deficiency' THEN value END) AS oc_deficiency,
    max(CASE WHEN measure = 'credit_enhancement' THEN value END) AS credit_enhancement
  FROM measures
  WHERE group_id = 'TOTAL'
  GROUP BY deal, distribution_date, report_id
),
events AS (
  SELECT
    deal,
    distribution_date,
    report_id,
    bool_or(CASE WHEN triggers.trigger = 'trigger_event' THEN occurred END) AS trigger_event,
    bool_or(CASE WHEN triggers.trigger = 'servicer_termination_test_failed' THEN occurred END) AS servicer_test_failed,
    bool_or(CASE WHEN triggers.trigger = 'step_down_date' THEN occurred END) AS stepped_down
  FROM triggers
  GROUP BY deal, distribution_date, report_id
)
SELECT
  protection.deal,
  protection.distribution_date,
  protection.oc_amount,
  protection.oc_target,
  protection.oc_target - protection.oc_amount AS short_of_target,
  protection.oc_deficiency,
  protection.credit_enhancement,
  events.trigger_event,
  events.servicer_test_failed,
  events.stepped_down
FROM protection
LEFT JOIN events
  ON protection.deal = events.deal
  AND protection.distribution_date = events.distribution_date
  AND protection.report_id = events.report_id
ORDER BY protection.deal, protection.distribution_date, protection.report_id
