"""From the registry's answer to a device to a ticket for that user, one user at a time, and the sync's share of it."""

from __future__ import annotations

from statistics import median
from time import perf_counter
from uuid import uuid4

from bench.result import BenchResult
from bench.site import bench_lab
from keytrust import config
from keytrust.cli.wiring import open_runs
from keytrust.device import Device
from keytrust.directory.domain import Domain
from keytrust.lab import LabUser, registry_service
from keytrust.registry.database import Database
from keytrust.registry.devices import register_device
from keytrust.registry.from_directory import import_domain
from keytrust.signin import sign_in

USERS = 15
TARGET_MILLISECONDS = 2000.0


def run() -> list[BenchResult]:
    """Register, sync and sign in for each of several users; every step is a whole one, connections included."""
    totals, shares, signins = [], [], []
    with bench_lab() as lab:
        try:
            registry_service.start(lab.spec, lambda _: None)
            lab.add_users([LabUser(f"cross{number}") for number in range(USERS)])
            settings = config.load(lab.spec.config)
            registry = settings.need_registry()
            with Domain(settings.need_directory()) as domain:
                import_domain(registry, domain)
            issuer = registry_service.issuer(lab.spec)
            for number in range(USERS):
                upn = f"cross{number}@{lab.spec.domain}"
                device_id = uuid4()
                database = Database.open(registry.database_url)
                register_device(database, device_id, owner_upn=upn)
                database.close()
                device = Device(device_id)
                token = issuer.device_token(audience=registry.key_provision_resource, upn=upn, device_id=device_id)
                device.register(registry.url, registry.tenant_name, token)
                began = perf_counter()
                with open_runs(settings) as (runs, _):
                    _, report = runs.sync()
                assert report is not None
                assert report.complete
                synced = perf_counter()
                result = sign_in(upn, device.private_key, kdc_ca=lab.spec.ca_cert, krb5_config=lab.spec.krb5_config)
                assert result.ok, result.detail
                ended = perf_counter()
                totals.append((ended - began) * 1000)
                shares.append((synced - began) * 1000)
                signins.append((ended - synced) * 1000)
        finally:
            registry_service.stop(lab.spec)
    return [
        BenchResult.at_most("crossing.registration_to_ticket", median(totals), "ms", TARGET_MILLISECONDS),
        BenchResult.at_most("crossing.registration_to_ticket_worst", max(totals), "ms", TARGET_MILLISECONDS),
        BenchResult("crossing.share_of_sync", median(shares), "ms"),
        BenchResult("crossing.share_of_signin", median(signins), "ms"),
    ]
