"""A run → OpenLineage events, as catalogues and orchestrators take them (https://openlineage.io/spec/2-0-2/).

Two events a run: START, then COMPLETE, FAIL or ABORT. Inputs are what was given to the run, outputs its tables, each
with its columns and the number of rows that the run read. Namespaces are those of OpenLineage's naming rules:
`file`, or the scheme and the bucket of a URL.
"""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime

from etl.errors import UsageError
from etl.objects import is_url, place_of
from etl.schema import PARTITION_COLUMNS, TABLES, table
from etl.summary import COMPLETE, FAILED, INTERRUPTED, Summary
from etl.version import __version__

JOB = "etl run"
_PRODUCER = f"urn:trustee-etl:{__version__}"


def needs_lineage() -> None:
    """Raise UsageError where the library is not there."""
    try:
        import openlineage.client  # noqa: F401, PLC0415
    except ImportError as error:
        raise UsageError("--lineage needs a library: pip install 'trustee-etl[lineage]'") from error


def lineage_events(summary: Summary, started: datetime, state: str, error: str | None = None) -> str:
    """The events of a run as JSON, a line each. `state`: complete, failed or interrupted."""
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState  # noqa: PLC0415 - a third of a second
    from openlineage.client.facet_v2 import (  # noqa: PLC0415
        error_message_run,
        job_type_job,
        output_statistics_output_dataset,
        processing_engine_run,
        schema_dataset,
    )
    from openlineage.client.generated.base import InputDataset, OutputDataset  # noqa: PLC0415
    from openlineage.client.serde import Serde  # noqa: PLC0415

    def columns(name: str) -> list[schema_dataset.SchemaDatasetFacetFields]:
        return [
            schema_dataset.SchemaDatasetFacetFields(column.name, column.type, column.description)
            for column in (*PARTITION_COLUMNS, *table(name).columns)
        ]

    inputs = [InputDataset(*dataset(given)) for given in summary.inputs]
    outputs = [
        OutputDataset(
            *dataset(f"{summary.output}/{name}"),
            outputFacets={
                "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                    rowCount=summary.rows[name], producer=_PRODUCER
                )
            },
            facets={"schema": schema_dataset.SchemaDatasetFacet(columns(name), producer=_PRODUCER)},
        )
        for name in TABLES
    ]
    engine = processing_engine_run.ProcessingEngineRunFacet(__version__, "trustee-etl", producer=_PRODUCER)
    failure = (
        {"errorMessage": error_message_run.ErrorMessageRunFacet(error, "PYTHON", producer=_PRODUCER)} if error else {}
    )
    job_type = job_type_job.JobTypeJobFacet("BATCH", "TRUSTEE-ETL", "JOB", producer=_PRODUCER)
    job = Job(dataset(summary.output)[0], JOB, {"jobType": job_type})
    ends = {COMPLETE: RunState.COMPLETE, FAILED: RunState.FAIL, INTERRUPTED: RunState.ABORT}
    number = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{_PRODUCER}:{summary.run_id}"))
    events = [
        RunEvent(
            eventTime=started.isoformat(),
            eventType=RunState.START,
            run=Run(number, {"processing_engine": engine}),
            job=job,
            inputs=inputs,
            producer=_PRODUCER,
        ),
        RunEvent(
            eventTime=datetime.now(UTC).isoformat(),
            eventType=ends[state],
            run=Run(number, {"processing_engine": engine, **failure}),
            job=job,
            inputs=inputs,
            outputs=outputs,
            producer=_PRODUCER,
        ),
    ]
    return "".join(f"{Serde.to_json(event)}\n" for event in events)


def dataset(place: str) -> tuple[str, str]:
    """Namespace and name of a folder, a file or a URL.

    >>> dataset("s3://bucket/lake/classes")
    ('s3://bucket', 'lake/classes')
    >>> dataset("/data/lake/classes")
    ('file', '/data/lake/classes')
    """
    if is_url(place):
        there = place_of(place)
        return f"{there.scheme}://{there.bucket}", there.key.strip("/") or "/"
    return "file", os.path.abspath(place)  # noqa: PTH100 - a link stays the name that was chosen
