"""Chromium without a window, driven over its DevTools protocol: tabs that go somewhere, evaluate, wait and show themselves."""

import asyncio
import base64
import json
import os
import shutil
import subprocess

from waiting import SLOW, wait_until

CHROMIUM = shutil.which("chromium")
try:
    from websockets.client import connect
except ImportError:
    connect = None

MISSING = ("there is no chromium" if CHROMIUM is None else
           "there is no Python package websockets" if connect is None else None)
ANSWER_S = 30 * SLOW


class Target:
    """Something that takes commands: the browser, or a page of it. Uncaught errors of a page are kept in `errors`."""

    def __init__(self, loop, address):
        async def reach():
            return await connect(address, max_size=None, ping_interval=None)
        self.loop, self.number, self.errors = loop, 0, []
        self.socket = loop.run_until_complete(reach())

    def _note(self, message):
        if message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(message["params"]["exceptionDetails"])

    def send(self, method, **parameters):
        """A command and its answer."""
        self.number += 1
        wanted = self.number

        async def talk():
            await self.socket.send(json.dumps({"id": wanted, "method": method, "params": parameters}))
            while True:
                message = json.loads(await self.socket.recv())
                if message.get("id") == wanted:
                    return message
                self._note(message)
        answer = self.loop.run_until_complete(asyncio.wait_for(talk(), ANSWER_S))
        assert "error" not in answer, (method, answer)
        return answer["result"]

    def close(self):
        try:
            self.loop.run_until_complete(asyncio.wait_for(self.socket.close(), 10))
        except (OSError, asyncio.TimeoutError):
            pass


class Tab(Target):
    """One page."""

    def __init__(self, loop, address):
        super().__init__(loop, address)
        for domain in ("Page", "Runtime"):
            self.send(domain + ".enable")

    def go(self, address):
        result = self.send("Page.navigate", url=address)
        assert "errorText" not in result, result
        self.wait("document.readyState === 'complete'")

    def evaluate(self, script):
        """The value of an expression, as Python's."""
        result = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, (script, result)
        return result["result"].get("value")

    def wait(self, script, seconds=15):
        """Wait until an expression is true; returns its value."""
        value = [None]

        def holds():
            value[0] = self.evaluate(script)
            return value[0]
        wait_until(holds, seconds, lambda: f"{script} is {value[0]!r}; page: {self.evaluate('document.body.innerText')!r}")
        return value[0]

    def type(self, selector, text):
        """Type into a field and press Enter, with real events."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
        self.send("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r",
                      windowsVirtualKeyCode=13)

    def look(self, width, height, dark=False):
        """A window of that size, in light or dark."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=False)
        self.send("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def picture(self, path):
        """A PNG of what is seen."""
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))


class Browser:
    """One program. Each set of tabs has cookies and connections of its own, which go away with it."""

    def __init__(self, folder):
        profile = os.path.join(folder, "chromium")
        self.loop = asyncio.new_event_loop()
        self.target = None
        with open(os.path.join(folder, "chromium.log"), "wb") as log:
            self.process = subprocess.Popen(
                [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--disable-dev-shm-usage", "--no-proxy-server", "--disable-features=BackForwardCache",
                 "--user-data-dir=" + profile, "--remote-debugging-port=0", "about:blank"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        place = os.path.join(profile, "DevToolsActivePort")

        def port():
            assert self.process.poll() is None, f"chromium ended with {self.process.returncode}"
            if not os.path.exists(place):
                return None
            with open(place, encoding="ascii") as file:
                lines = file.read().split()
            return lines if len(lines) == 2 else None
        try:
            port, path = wait_until(port, 60, "chromium's DevTools")
            self.address = "ws://127.0.0.1:" + port
            self.target = Target(self.loop, self.address + path)
        except BaseException:
            self.close()
            raise

    def tabs(self):
        return Tabs(self)

    def close(self):
        if self.target is not None:
            self.target.close()
        self.loop.close()
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Tabs:
    def __init__(self, browser):
        self.browser, self.open = browser, []
        self.context = browser.target.send("Target.createBrowserContext")["browserContextId"]

    def new(self):
        made = self.browser.target.send("Target.createTarget", url="about:blank", browserContextId=self.context)
        self.open.append(Tab(self.browser.loop, self.browser.address + "/devtools/page/" + made["targetId"]))
        return self.open[-1]

    def close(self):
        """Close all; returns the errors that were not caught in them."""
        errors = [error for tab in self.open for error in tab.errors]
        for tab in self.open:
            tab.close()
        self.browser.target.send("Target.disposeBrowserContext", browserContextId=self.context)
        return errors
