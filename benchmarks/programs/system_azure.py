"""azure-cli-telemetry: a rotating file, and an uploader that is started for each command.

What the Azure CLI itself does around it, composing the payload and looking at the choice of its
user, is here as short as it can be.
"""

import json
import os
import platform
import sys
import time
import uuid

from azure.cli.telemetry import DEFAULT_INSTRUMENTATION_KEY, save

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def run(main: "Callable[[], None]") -> None:
    began = time.time()
    try:
        main()
    finally:
        properties = {
            "Reserved.EventId": str(uuid.uuid4()),
            "Context.Default.VS.Core.OS.Type": platform.system(),
            "Context.Default.VS.Core.OS.Version": platform.release(),
            "Context.Default.AzureCLI.PythonVersion": sys.version.split()[0],
            "Context.Default.AzureCLI.RawCommand": "greet",
            "Reserved.TimeElapsed": (time.time() - began) * 1000,
        }
        event = {"name": "azurecli/command", "properties": properties}
        folder = os.path.join(os.environ["HOME"], ".azure")
        save(folder, json.dumps({DEFAULT_INSTRUMENTATION_KEY: [event]}))
