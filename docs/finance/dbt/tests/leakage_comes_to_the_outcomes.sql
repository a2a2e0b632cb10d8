-- Leakage that is not what the outcomes of the same batches say.
select topic, partition, last_offset, application_id, reason, sum(leaked) as leaked_octets, sum(unsponsored) as unsponsored_octets
from
(
    select topic, partition, last_offset, application_id, reason, octets as leaked, toUInt64(0) as unsponsored
    from {{ source('zerorate', 'leakage') }}
    union all
    select topic, partition, last_offset, application_id, reason, toUInt64(0) as leaked, octets as unsponsored
    from {{ source('zerorate', 'outcomes') }}
    where reason in (
        'detected_only', 'no_evidence', 'unknown_tag', 'unknown_identity', 'evidence_conflict', 'tag_missing', 'identity_missing', 'detection_missing',
        'prefix_missing', 'sponsor_suspended', 'no_plan', 'conditions_not_met', 'campaign_paused',
        'campaign_unfunded', 'cap_reached', 'content_not_covered', 'not_in_audience'
    )
    -- Batches of before leakage was kept, or with `leakage.maxRows` 0, have none.
    and (topic, partition, last_offset) in (select topic, partition, last_offset from {{ source('zerorate', 'leakage') }})
)
group by topic, partition, last_offset, application_id, reason
having leaked_octets != unsponsored_octets
