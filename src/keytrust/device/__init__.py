"""A client that plays a device: makes a key and registers it the way Windows Hello for Business does."""

from keytrust.device.device import Device, RegisteredDeviceKey, key_provision_resource

__all__ = ["Device", "RegisteredDeviceKey", "key_provision_resource"]
