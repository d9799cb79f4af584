from __future__ import annotations

import pytest

from orchestrator.composition.models import with_address
from shared.errors import UserError
from shared.model import ModelSettings, Settings


def test_tiers_named_in_the_environment_win_over_files() -> None:
    settings = Settings(models=ModelSettings(fast="mine", deep="mine-too"))
    told = with_address(
        settings, {"SPINNEY_MODEL_FAST": "claude-haiku-5-5", "SPINNEY_MODEL_BALANCED": ""}
    ).models
    assert (told.fast, told.balanced, told.deep) == ("claude-haiku-5-5", ModelSettings().balanced, "mine-too")


@pytest.mark.parametrize("model", ["-x", "a b", "a\nb", "$(id)", "x" * 101])
def test_what_is_no_name_of_a_model_is_refused(model: str) -> None:
    with pytest.raises(UserError, match="SPINNEY_MODEL_DEEP"):
        with_address(Settings(), {"SPINNEY_MODEL_DEEP": model})
