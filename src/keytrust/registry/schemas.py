"""The shapes of the answers, for OpenAPI. The answers themselves are built faster than by these models."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class InnerError(BaseModel):
    """When and in which request an error happened."""

    model_config = ConfigDict(extra="allow")

    date: str


class ErrorDetail(BaseModel):
    """An OData error."""

    code: str
    message: str
    innerError: InnerError  # noqa: N815 - OData's spelling, here and below


class ErrorAnswer(BaseModel):
    """The body of every refusal by the Graph-shaped API."""

    error: ErrorDetail


class Collection(BaseModel):
    """A page of a collection."""

    model_config = ConfigDict(extra="forbid")

    context: str = Field(alias="@odata.context")
    next_link: str | None = Field(default=None, alias="@odata.nextLink")
    value: list[dict[str, Any]]


class DeltaPage(Collection):
    """A page of changes."""

    delta_link: str | None = Field(default=None, alias="@odata.deltaLink")


class BatchAnswer(BaseModel):
    """The answers of a batch."""

    responses: list[dict[str, Any]]


class KeyRequestBody(BaseModel):
    """[MS-KPP] 2.2.2: what a device sends."""

    kngc: str = Field(min_length=1, description="base64 of a BCRYPT_RSAKEY_BLOB holding an RSA-2048 public key")


class KeyAnswer(BaseModel):
    """[MS-KPP]: the key is registered, durably."""

    model_config = ConfigDict(extra="forbid")

    kid: str
    upn: str
    pctx: str | None = None


class KppInnerError(BaseModel):
    """Always empty ([MS-KPP] 2.2.3.1)."""

    trace: None
    context: None


class KppError(BaseModel):
    """[MS-KPP] 2.2.3.1 ErrorDetails."""

    model_config = ConfigDict(extra="forbid")

    code: str
    message: str
    response: Literal["ERROR_FAIL"]
    target: str
    clientrequestid: str
    time: str
    innererror: KppInnerError


class UserPatch(BaseModel):
    """What can be changed of a user."""

    model_config = ConfigDict(extra="forbid")

    accountEnabled: bool  # noqa: N815


class DevicePatch(BaseModel):
    """What can be changed of a device."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1})

    accountEnabled: bool = Field(default=True)  # noqa: N815
    displayName: str = Field(default="", min_length=1, max_length=256)  # noqa: N815


class Health(BaseModel):
    """Whether the service is alive, or ready."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["ok", "unavailable"]


class TokenForm(BaseModel):
    """What an application sends (RFC 6749, 4.4.2), or a device for its user (4.3.2, with a second factor)."""

    grant_type: Literal["client_credentials", "password"]
    client_id: str | None = None
    scope: str | None = None
    resource: str | None = None
    username: str | None = None
    password: str | None = None
    otp: str | None = None
    device_id: str | None = None
    client_secret: str | None = None
    client_assertion_type: str | None = None
    client_assertion: str | None = None


class TokenAnswer(BaseModel):
    """RFC 6749, 5.1."""

    token_type: Literal["Bearer"]
    expires_in: int
    ext_expires_in: int
    access_token: str


class TokenError(BaseModel):
    """RFC 6749, 5.2, with what Entra ID adds."""

    error: str
    error_description: str
    error_codes: list[int]
    timestamp: str
    trace_id: str
    correlation_id: str


class SubscriptionBody(BaseModel):
    """What a client asks to be told, as Microsoft Graph has it."""

    changeType: str = Field(description="some of created, updated and deleted")  # noqa: N815
    notificationUrl: str = Field(max_length=2048)  # noqa: N815
    lifecycleNotificationUrl: str | None = Field(default=None, max_length=2048)  # noqa: N815
    resource: Literal["users", "/users"]
    expirationDateTime: str = Field(description="at most 41760 minutes from now")  # noqa: N815
    clientState: str | None = Field(default=None, max_length=255)  # noqa: N815


class RenewalBody(BaseModel):
    """The new end of a subscription."""

    expirationDateTime: str  # noqa: N815
