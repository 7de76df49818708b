"""The service against its own OpenAPI: schemathesis makes up requests, real HTTP carries them."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.fixtures.serving import picture, serving, state_of, write_run

pytestmark = pytest.mark.usefixtures("page_of_what_is_there")
ENDPOINTS = (
    "GET /health", "GET /layers", "GET /point", "GET /tiles/{layer}/{z}/{x}/{y}.png",
    "POST /classify", "POST /predict",
)  # fmt: skip
# To OpenAPI an image is bytes and a layer is a name; now and then they are real ones
IMAGES = [None, *(picture((200, 30, 10), form, 8) for form in ("PNG", "JPEG"))]
LAYERS = [None, "scene", "labels"]


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    with serving(
        state_of(write_run(tmp_path_factory.mktemp("fuzz") / "run", 60, 70, cnn=False))
    ) as url:
        yield schemathesis.openapi.from_url(f"{url}/openapi.json")


# Bytes that are no image, and names that the run does not hold, fit their schemas all the same
NOT_PROMISED = [positive_data_acceptance]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_answer_is_one_that_the_openapi_describes(schema, endpoint, mode):
    method, path = endpoint.split()

    @given(
        case=schema[path][method].as_strategy(generation_mode=mode),
        image=st.sampled_from(IMAGES if mode is GenerationMode.POSITIVE else [None]),
        layer=st.sampled_from(LAYERS),
    )
    @settings(
        max_examples=25, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def check(case, image, layer):
        if image and isinstance(case.body, dict) and "file" in case.body:
            case.body["file"] = image
        if layer and "layer" in case.path_parameters:
            case.path_parameters["layer"] = layer
        case.call_and_validate(excluded_checks=NOT_PROMISED)

    try:
        check()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE and endpoint in ("GET /health", "GET /layers")


def test_every_endpoint_is_fuzzed(schema):
    held = {
        f"{found.ok().method.upper()} {found.ok().path}" for found in schema.get_all_operations()
    }
    assert held == set(ENDPOINTS)
