"""The web pages in a real browser, used as a person does: what is on the
screen is found by its label and pressed with the mouse or the keyboard."""

import json
import os
import urllib.request

from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException, ElementNotInteractableException,
    StaleElementReferenceException, WebDriverException)
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from fault import INTERNAL
from process import PATIENCE, Process, wait_until

FLAKY = (ElementClickInterceptedException, ElementNotInteractableException,
         StaleElementReferenceException)

# What can be pressed or filled in, by its name; in a dialog when there is one
FIND = """
const [selector, name] = arguments;
const root = document.querySelector('dialog[open]') || document;
const text = (el) => (el.getAttribute('aria-label')
    || (el.labels && el.labels[0] ? el.labels[0].innerText : '')
    || el.innerText || '').trim().split('\\n')[0];
return [...root.querySelectorAll(selector)].find((el) =>
    text(el) === name && el.getClientRects().length > 0) || null;
"""
PRESSED = "button, a, input[type=checkbox], input[type=radio]"
FILLED = "input, select"

SWITCHES = [
    "--headless=new", "--no-sandbox", "--disable-gpu",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
    "--disable-background-networking", "--disable-extensions",
    "--disable-component-update", "--remote-debugging-pipe",
    "--force-color-profile=srgb", "--lang=en",
    # a page that asked for anything else would fail
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


# What a page does every 2 s or 5 s it does five times as often: tests need
# not wait for it.  Messages, which are shown for longer, stay as long.
HASTE = """
const later = window.setTimeout;
window.setTimeout = (run, ms, ...more) => later.call(window, run,
    ms >= 1000 && ms <= 5000 ? ms / 5 : ms, ...more);
"""


HOSTILE = {
    "markup": "<img src=x onerror=window.hacked=1><script>hacked=1</script>",
    "quotes": "'\"><b>bold</b> & `back` ${1}",
    "right-to-left": "\u202egpj.exe \u05e9\u05dc\u05d5\u05dd",
    "long": "l" * 1024,
    "control": "tab\tand\u200bzero",
}


class Driver(Process):
    """chromedriver, which ends with us, and the browser with it."""

    def __init__(self, folder):
        self.folder = f"{folder}/browser"
        os.mkdir(self.folder)
        self.port = None
        super().__init__("chromedriver", [
            "/usr/bin/chromedriver", "--port=0", "--log-level=WARNING"],
            f"{folder}/log/chromedriver.log",
            env={"HOME": self.folder, "TMPDIR": self.folder})

    def is_ready(self):
        with open(self.log) as f:
            for line in f:
                if "started successfully on port" in line:
                    self.port = int(line.split()[-1].rstrip("."))
        return self.port is not None


class Browser:
    def __init__(self, folder, url):
        self.url = f"{url}/ui/"
        self.process = Driver(folder)
        self.process.start()
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for switch in SWITCHES + [
                f"--user-data-dir={self.process.folder}/profile"]:
            options.add_argument(switch)
        self.downloads = f"{self.process.folder}/downloads"
        options.add_experimental_option("prefs", {
            "download.default_directory": self.downloads})
        options.set_capability("goog:loggingPrefs", {
            "browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Remote(
            f"http://127.0.0.1:{self.process.port}", options=options)
        self.driver.set_page_load_timeout(PATIENCE)
        self.driver.set_script_timeout(PATIENCE)
        self.cdp("Page.addScriptToEvaluateOnNewDocument", source=HASTE)
        self.resize(1280, 860)

    def end(self):
        try:
            self.driver.quit()
        except WebDriverException:
            pass                    # it has ended
        self.process.stop()

    def cdp(self, command, **params):
        url = (f"http://127.0.0.1:{self.process.port}/session/"
               f"{self.driver.session_id}/goog/cdp/execute")
        body = json.dumps({"cmd": command, "params": params}).encode()
        request = urllib.request.Request(url, body, {
            "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)["value"]

    def resize(self, width, height):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width,
                 height=height, deviceScaleFactor=1, mobile=width < 600)

    def zone(self, name):
        self.cdp("Emulation.setTimezoneOverride", timezoneId=name)

    def scheme(self, name):
        """What the system has: light or dark."""
        self.cdp("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": name},
            {"name": "prefers-reduced-motion", "value": "reduce"}])

    # ---- pages

    def js(self, script, *args):
        return self.driver.execute_script(script, *args)

    def module(self, script):
        """Of code with `await import('./js/...')`, what it returns."""
        value, error = self.driver.execute_async_script(
            "const done = arguments[0]; (async () => {" + script
            + "})().then((v) => done([v, null]),"
            " (e) => done([null, String(e.stack || e)]));")
        assert error is None, error
        return value

    def open(self, place="", token=None):
        """Afresh, logged in by the page when there is a token."""
        self.driver.get("about:blank")
        self.driver.get(self.url + place)
        self.js("sessionStorage.clear(); localStorage.clear();")
        self.driver.refresh()
        if token:
            self.login(token)

    def login(self, token):
        self.fill("Token", token)
        self.press("Log in")

    def go(self, place):
        self.js("location.hash = arguments[0]", place)

    def text(self, selector="body"):
        return self.js("const el = document.querySelector(arguments[0]);"
                       "return el ? el.innerText.replace(/\\n+/g, '\\n')"
                       " : ''", selector)

    def see(self, words, selector="body", seconds=20):
        """The text that has these words, once it has."""
        return wait_until(
            lambda: words in (text := self.text(selector)) and text, seconds,
            lambda: f"{words!r} is seen: {self.text(selector)}")

    def unsee(self, words, selector="body", seconds=20):
        wait_until(lambda: words not in self.text(selector), seconds,
                   lambda: f"{words!r} goes: {self.text(selector)}")

    def found(self, number):
        """So many rows: "5 of 2,000 keys", or "5 keys"."""
        wait_until(lambda: self.text(".found").split()[:1] == [number], 30,
                   lambda: f"{number} are found: {self.text('.found')}")

    def errors(self):
        """What the browser complains of since the last time."""
        return [f"{e['level']}: {e['message']}"
                for e in self.driver.get_log("browser")]

    def asked(self):
        """The addresses that were asked for since the last time."""
        events = [json.loads(e["message"])["message"]
                  for e in self.driver.get_log("performance")]
        return {e["params"]["request"]["url"] for e in events
                if e["method"] == "Network.requestWillBeSent"}

    # ---- what a person does

    def find(self, selector, name):
        return wait_until(lambda: self.js(FIND, selector, name), 20,
                          lambda: f"there is {name!r}: {self.text()}")

    def do(self, selector, name, what):
        """Again when a live page has changed in between."""
        why = None

        def attempt():
            nonlocal why
            try:
                el = self.find(selector, name)
                # what is under the bar at the top is on the screen, too
                self.js("arguments[0].scrollIntoView({ block: 'center' })",
                        el)
                what(el)
                return True
            except FLAKY as error:
                why = error.msg
                return False
        wait_until(attempt, 20, lambda: f"{name!r} can be used: {why}")

    def enter(self, token):
        """As a new tab, but for what is loaded already."""
        if self.js("return sessionStorage.getItem('chorus.token')") != token:
            self.open(token=token)
            return
        self.js("document.querySelectorAll('dialog').forEach("
                "(el) => el.close()); localStorage.clear();")
        self.go("#/none")
        self.go("#/")

    def press(self, name):
        self.do(PRESSED, name, self.click)

    def click(self, el):
        """What moves away while it is pressed gets no click: a person sees
        that and presses again."""
        self.js("window.pressed = false; arguments[0].addEventListener("
                "'click', () => { window.pressed = true; },"
                " { once: true, capture: true })", el)
        el.click()
        if not self.js("return window.pressed"):
            raise ElementClickInterceptedException("it was not hit")

    def fill(self, name, text):
        def type_it(el):
            el.send_keys(Keys.CONTROL, "a")
            el.send_keys(text)
        self.do(FILLED, name, type_it)

    def choose(self, name, option):
        self.do(FILLED, name,
                lambda el: Select(el).select_by_visible_text(option))

    def confirm(self, verb):
        """In the dialog that asks; what it said."""
        said = wait_until(lambda: self.text("dialog[open]"), 20, "it asks")
        self.press(verb)
        wait_until(lambda: self.js(
            "const el = document.querySelector('dialog');"
            "return !el || el.querySelector('.error') !== null"), 30,
            lambda: f"it is done: {self.text('dialog')}")
        error = self.text("dialog .error")
        assert not error, error
        return said

    def key(self, *keys):
        self.driver.switch_to.active_element.send_keys(*keys)

    def focused(self):
        return self.js("const el = document.activeElement;"
                       "return el.getAttribute('aria-label')"
                       " || el.innerText || el.id || el.tagName")

    def shoot(self, path):
        self.driver.save_screenshot(path)

    def downloaded(self, name):
        """Its lines of JSON."""
        path = f"{self.downloads}/{name}"
        wait_until(lambda: os.path.exists(path) and os.path.getsize(path), 30,
                   f"{name} is there")
        with open(path) as f:
            return [json.loads(line) for line in f]

    def rows(self):
        """Of the table: a text for each row."""
        return [el.text for el in self.driver.find_elements(
            By.CSS_SELECTOR, ".rows tbody tr")]


# ---- what there is to be seen ----


def at(bucket, user="alice", follower="follower"):
    return f"#/replications/{user}%3A{bucket}%3A{follower}"


def rules(stack, kind):
    return json.loads(stack.api(f"/api/v1/{kind}?count=1000",
                                stack.token)[2])["rules"]


def park(stack, bucket, *keys):
    stack.faulty_follower.inject(
        when=lambda method, target: method == "PUT"
        and target.startswith(f"/{bucket}/"), answer=INTERNAL, times=None)
    for key in keys:
        stack.wire().put(bucket, key, b"x")
    wait_until(lambda: (stack.stats(bucket) or {}).get("failed") == len(keys),
               30, "they are parked")


def add_rows(stack, rows, user="zoe", follower="gone"):
    """Replications that no worker touches; gives what undoes it."""
    client = stack.redis.client
    pipe = client.pipeline()
    for name, bucket in rows.items():
        pipe.hset(f"chorus:{{{name}}}", mapping={
            "user": user, "bucket": bucket, "follower": follower,
            "target": bucket, "state": "paused", "token": 0,
            "created_ms": 1})
        pipe.sadd("chorus:replications", name)
    pipe.execute()

    def undo():
        pipe = client.pipeline()
        for name in rows:
            pipe.srem("chorus:replications", name)
            pipe.delete(f"chorus:{{{name}}}")
        pipe.execute()
    return undo
