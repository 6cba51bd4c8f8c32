"""The forms of what a provider answers: an answer is read into one, or refused without telling what it held."""

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from grove.core.errors import UpstreamError

T = TypeVar("T")
Text = Annotated[str, Field(min_length=1)]


class Published(BaseModel):
    """An object. Fields that are not named are left alone: providers add some at any time."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


def read(form: TypeAdapter[T], content: bytes, provider: str) -> T:
    """JSON in the form. Raises UpstreamError that names the field, never a value, for anything else."""
    try:
        return form.validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    about = f"`{where}` in another form than it publishes" if where else "no JSON of the form that it publishes"
    raise UpstreamError(f"{provider} sent {about}.")
