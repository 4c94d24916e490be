"""The discovery document: where a device registers, and for which audience its token must be ([MS-DVRD])."""

from __future__ import annotations

from keytrust.registry.settings import RegistrySettings

API_VERSIONS = frozenset({"1.0", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "1.9"})


def knows_tenant(settings: RegistrySettings, tenant: str) -> bool:
    """Whether this registry serves a tenant, named by its name, its id or a user's mail domain part."""
    return tenant.casefold() in {settings.tenant_name.casefold(), str(settings.tenant_id)}


def document(settings: RegistrySettings, base: str) -> dict[str, object]:
    """The discovery document for clients that reach the registry at ``base``.

    Services that the registry does not offer yet name their place all the same, as real clients expect the members.
    """
    tenant = str(settings.tenant_id)
    resource = settings.key_provision_resource

    def service(name: str, path: str, version: str) -> dict[str, str]:
        return {f"{name}Endpoint": base + path, f"{name}ResourceId": resource, "ServiceVersion": version}

    return {
        "DiscoveryService": {
            "DiscoveryEndpoint": f"{base}/{settings.tenant_name}/Discover",
            "ServiceVersion": "1.9",
        },
        "DeviceRegistrationService": service("Registration", "/EnrollmentServer/DeviceEnrollmentWebService.svc", "1.0"),
        "AuthenticationService": {
            "OAuth2": {
                "AuthCodeEndpoint": f"{base}/{tenant}/oauth2/authorize",
                "TokenEndpoint": f"{base}/{tenant}/oauth2/token",
            }
        },
        "DeviceJoinService": service("Join", "/EnrollmentServer/device/", "2.0"),
        "KeyProvisioningService": service("KeyProvision", "/EnrollmentServer/key/", "1.0"),
        "WebAuthNService": service("WebAuthN", f"/webauthn/{tenant}/", "1.0"),
        "NonceService": service("Nonce", f"/EnrollmentServer/nonce/{tenant}/", "1.0"),
        "TenantInfo": {
            "DisplayName": settings.tenant_name,
            "TenantId": tenant,
            "TenantName": settings.tenant_name,
        },
    }
