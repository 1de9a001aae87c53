"""The examples that start Spark are run as any others, in a file of their own, for each takes some ten seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from .pages import Block
from .spark_sessions import needs_java
from .test_examples import EXAMPLES, needs_spark, runs_here
from .workplaces import run_example, write_workplace


@pytest.mark.spark
@pytest.mark.parametrize("block", [block for block in EXAMPLES if runs_here(block) and needs_spark(block)], ids=str)
def test_the_examples_with_spark_run(block: Block, tmp_path: Path) -> None:
    needs_java()
    run_example(block, write_workplace(tmp_path))
