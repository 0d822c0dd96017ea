"""Messages about camera problems: the severity, and Markdown that says what to do.

The messages are the same whether the camera is read in the browser or on the server.
"""

from typing import Literal

from fer.web.page import MOST_PHOTOS, START, STOP

Gravity = Literal["info", "warning", "error"]


def troubles(secure: str, otherwise: str) -> dict[str, tuple[Gravity, str]]:
    """The messages by kind. secure: how a page can get access to a camera. otherwise: what to do if this device cannot
    read faces."""
    return {
        "insecure": (
            "error",
            "**The browser gives this page no camera,** because it came over plain http from another machine. "
            f"{secure}",
        ),
        "denied": (
            "error",
            "**The browser blocks the camera for this page.** Press the camera or padlock icon next to the address, "
            f"allow the camera for this site, then press {START} again.",
        ),
        "asking": ("info", "**The browser asks whether this page may use the camera.** Answer it: *Allow*."),
        "no_camera": (
            "error",
            "**No camera was found.** Plug one in, or switch it on (some laptops have a key or a shutter for it), "
            f"then press {START}. No camera at hand? The Photo page takes pictures.",
        ),
        "busy": (
            "error",
            "**The camera gives no picture.** Another program or another tab may hold it: close that one, "
            f"then press {START} again, or choose another camera with *Select device*.",
        ),
        "unplugged": (
            "warning",
            "**No picture has come for some seconds.** The camera may be unplugged, the lid closed or the connection "
            f"broken. Check it, then press {STOP} and {START}.",
        ),
        "simd": (
            "error",
            "**This browser cannot read faces by itself:** it lacks WebAssembly with SIMD, which Chrome and Edge have "
            f"since 91, Firefox since 89, Safari since 16.4. Update it, or {otherwise}.",
        ),
        "memory": (
            "error",
            "**This device has too little memory to read faces by itself.** Close other tabs and press "
            f"{START} again, or {otherwise}.",
        ),
        "model": (
            "error",
            f"**These weights do not run in the browser:** {{detail}}. Load the page again, or {otherwise}.",
        ),
        "download": (
            "error",
            "**The networks have not arrived:** {detail}. They are larger than the page: over a slow connection wait "
            f"a little and try again. Else load the page again, or {otherwise}.",
        ),
        "many": (
            "warning",
            f"**Not read:** {{detail}}. Up to {MOST_PHOTOS} photos are shown at once. Remove some, add these again.",
        ),
        "photo": ("error", f"**{{detail}} on this device.** Make it smaller, save it as JPEG or PNG, or {otherwise}."),
        "worker": (
            "error",
            f"**Faces cannot be read on this device just now:** {{detail}}. Load the page again, or {otherwise}.",
        ),
    }


TROUBLES = troubles(
    "Open it as `http://localhost:8501` on the machine that runs the app, or serve it over https: "
    "`streamlit run streamlit_app.py --server.sslCertFile cert.pem --server.sslKeyFile key.pem`, "
    "or a reverse proxy with a certificate in front.",
    "choose *On the server*",
)
# For a folder written by `fer export-web`, where no server could read the camera.
TROUBLES_ALONE = troubles("Serve this folder over https, or from this machine.", "open the page in another browser")
