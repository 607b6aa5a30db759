-- The instants at which windows of quotas that contain $6 may begin or end, by what subscriptions
-- say of themselves. Some of them may count for nobody: which quota follows which subscription, and
-- by what, depends on the catalogue and is for `effective` to say. Its calendars count
--
-- - months from the anchor, or from what stands in for it;
-- - the period that is known;
-- - where none is known that contains $6: periods of an item's length, from any of these instants.
--
-- A month is 2,629,746 seconds long on average, and no boundary lies more than some days from
-- where that puts it: the number of the step that contains $6 may be one less or one more. Each
-- boundary is counted from the base, so that the 31st is clamped to a month's last day and comes
-- back.
SELECT DISTINCT edge.at AT TIME ZONE 'UTC' AS at
FROM subscription AS s
LEFT JOIN item AS i ON i.subscription_id = s.subscription_id
    AND (s.current_period_start <= $6 AND $6 < s.current_period_end) IS NOT TRUE
CROSS JOIN LATERAL (VALUES
    (coalesce(s.anchor_at, s.current_period_end, s.started_at), 1, 0),
    (s.anchor_at, i.months, i.days),
    (s.started_at, i.months, i.days),
    (s.current_period_start, i.months, i.days),
    (s.current_period_end, i.months, i.days)
) AS grid (base, months, days)
CROSS JOIN LATERAL (
    SELECT grid.base AT TIME ZONE 'UTC' AS base,
        make_interval(months => grid.months, days => grid.days) AS step,
        floor(date_part('epoch', $6 - grid.base)
            / (grid.months * 2629746::float8 + grid.days * 86400)) AS number
) AS near
CROSS JOIN LATERAL (VALUES
    (near.base + (near.number - 1) * near.step),
    (near.base + near.number * near.step),
    (near.base + (near.number + 1) * near.step),
    (near.base + (near.number + 2) * near.step),
    (s.current_period_start AT TIME ZONE 'UTC'),
    (s.current_period_end AT TIME ZONE 'UTC')
) AS edge (at)
WHERE s.ended_at IS NULL OR s.ended_at > $6
