"""chorusctl in a terminal: the dashboard, driven in tmux as a person would;
completion, help and exit codes."""

import glob
import os
import re
import subprocess

import pytest

from process import children_of, wait_until
from stack import ROOT, SANITIZED


class Terminal:
    """A tmux of its own, with a shell in it."""

    def __init__(self, folder, name, width=80, height=24):
        self.command = ["tmux", "-S", f"{folder}/tmux-{name}", "-f",
                        "/dev/null"]
        self.env = dict(os.environ, LC_ALL="C.UTF-8", PS1="$ ", ENV="",
                        SHELL="/bin/sh", **SANITIZED)
        self.asked = 0
        self("new-session", "-d", "-x", str(width), "-y", str(height),
             "/bin/sh")
        wait_until(lambda: "$" in self.screen(), 20, "a prompt")

    def __call__(self, *words):
        return subprocess.run([*self.command, *words], env=self.env, text=True,
                              check=True, timeout=30,
                              stdout=subprocess.PIPE).stdout

    def type(self, text):
        self("send-keys", "-l", text)
        self("send-keys", "Enter")

    def key(self, name):
        self("send-keys", name)

    def screen(self):
        return self("capture-pane", "-p")

    def wait(self, pattern, why):
        """The screen that had it."""
        def matches():
            screen = self.screen()
            return re.search(pattern, screen) and screen
        return wait_until(matches, 20, lambda: f"{why}:\n{self.screen()}")

    def modes(self):
        """Whether the other screen is shown, whether there is a cursor, the
        program."""
        return self("display-message", "-p",
                    "#{alternate_on} #{cursor_flag} #{pane_current_command}"
                    ).split()

    def stty(self):
        """As the shell has it; said in a line of its own, and not that of an
        earlier time."""
        self.asked += 1
        self.type("clear; stty -a | tr ' ' '\\n' | grep -xE -- "
                  "'-?(echo|icanon|isig);?' | tr '\\n' ' '; "
                  f"echo do''ne{self.asked}")
        line = rf"(?m)^(.*)done{self.asked}$"
        return re.search(line, self.wait(line, "stty"))[1].split()

    def find(self, name):
        """A program that the shell has begun, or what that has begun."""
        pid = int(self("display-message", "-p", "#{pane_pid}"))
        while True:
            with open(f"/proc/{pid}/comm") as f:
                if f.read().strip() == name:
                    return pid
            pid, = children_of(pid)

    def end(self):
        subprocess.run([*self.command, "kill-server"], env=self.env,
                       stderr=subprocess.DEVNULL, timeout=30)


@pytest.fixture(scope="module")
def terminal(the_stack):
    terminal = Terminal(the_stack.folder, "dash")
    yield terminal
    terminal.end()


def dash(stack, *words):
    return " ".join([f"{stack.folder}/bin/chorusctl", "-u",
                     stack.nginx.admin_url, "-t", stack.token_file, "dash",
                     *words])


@pytest.fixture
def first(stack, bucket):
    """A bucket that stands before all others: something waits in it."""
    places = (3, f"chorus:{{alice:{bucket}:follower}}", "chorus:schedule",
              "chorus:replications")
    stack.wait_idle(bucket)
    stack.redis.call("pause", *places)
    stack.wire().put(bucket, "k", b"x")
    wait_until(lambda: stack.stats(bucket)["dirty"] == 1, 20, "it waits")
    yield bucket
    stack.redis.call("resume", *places)
    stack.wait_equal(bucket)


def test_the_dashboard_shows_what_there_is(stack, first, terminal):
    bucket = first
    before = terminal.stty()
    terminal.type(dash(stack))
    screen = terminal.wait(r"worker  .*\[[#.]{20}\] \d+/16", "the worker")
    lines = screen.split("\n")
    assert lines[0].startswith("Chorus  http://127.0.0.1:")
    assert "Redis up" in screen and "workers 1" in screen
    assert re.search(r"(?m)^REPLICATION +STATE +LAG +WAITING", screen)
    assert f"alice:{bucket}"[:20] in screen
    assert re.search(r"1-\d+ of \d+ replications", lines[23])
    assert all(len(line) <= 80 for line in lines)

    terminal("resize-window", "-x", "120", "-y", "40")
    screen = terminal.wait(r"(?m)(.*\n){39}q quit", "40 lines")
    assert f"alice:{bucket}:follower" in screen, "and wider names"
    terminal("resize-window", "-x", "30", "-y", "5")
    terminal.wait("too small", "no room")
    terminal("resize-window", "-x", "80", "-y", "24")
    terminal.wait(r"(?m)(.*\n){23}q quit", "24 lines again")

    terminal.key("p")
    terminal.wait(r"\(held\)", "held")
    terminal.key("p")
    terminal.key("q")
    wait_until(lambda: terminal.modes() == ["0", "1", "sh"], 20,
               lambda: f"q ends it: {terminal.modes()}")
    assert terminal.stty() == before, "the terminal is as it was"


@pytest.mark.parametrize("how", ["C-c", "TERM"])
def test_the_dashboard_ends_and_leaves_the_terminal_well(stack, terminal,
                                                         how):
    before = terminal.stty()
    terminal.type(dash(stack, "-n", "3600"))
    terminal.wait(r"replications", "it runs")
    if how == "TERM":
        os.kill(terminal.find("chorusctl"), 15)
    else:
        terminal.key(how)
    wait_until(lambda: terminal.modes() == ["0", "1", "sh"], 20,
               lambda: f"{how}: {terminal.modes()}\n{terminal.screen()}")
    terminal.type(f"echo {how} ended with $?")
    terminal.wait(f"(?m)^{how} ended with 0$", "its exit code")
    assert terminal.stty() == before


def test_the_dashboard_says_that_redis_is_away(stack, terminal):
    terminal.type(dash(stack))
    terminal.wait("Redis up", "all is well")
    stack.redis.stop()
    try:
        screen = terminal.wait("! Redis is away", "an alert")
        assert "Redis AWAY" in screen
    finally:
        stack.redis.start()
    terminal.wait("Redis up", "and back")
    terminal.key("q")
    wait_until(lambda: terminal.modes()[2] == "sh", 20, "it ends")


def test_the_dashboard_shows_scans_and_the_delete_guard(stack, terminal):
    name = "alice:dash:gone"            # no worker touches it
    key, client = f"chorus:{{{name}}}", stack.redis.client
    client.hset(key, mapping={
        "user": "alice", "bucket": "dash", "follower": "gone",
        "target": "dash", "state": "paused", "token": 0, "created_ms": 1})
    client.sadd("chorus:replications", name)
    stack.redis.call("scan_start", 3, key, "chorus:schedule",
                     "chorus:replications", "repair", "quick", 0)
    terminal.type(dash(stack))
    try:
        screen = terminal.wait(r"repair +alice:dash.* 0/1 ", "a scan that lists")
        assert "delete guard" not in screen
        client.sadd(f"{key}:awaited", "k")
        client.hset(f"{key}:scan", mapping={"state": "ended", "copied": 3})
        client.hset(key, mapping={"guarded_ms": 1, "guarded_reason": "many"})
        terminal.wait(r"repair +alice:dash.* 3/4 ", "and copies")
        terminal.wait("! 1 replications are paused by the delete guard",
                      "an alert")
    finally:
        client.srem("chorus:replications", name)
        client.zrem("chorus:scans", name)
        client.delete(*client.keys(f"{key}*"))
    terminal.key("q")
    wait_until(lambda: terminal.modes()[2] == "sh", 20, "it ends")


def test_the_dashboard_needs_a_terminal(stack):
    done = stack.chorusctl("dash")
    assert done.returncode == 2 and "needs a terminal" in done.stderr
    for words in (["-n", "0"], ["-n", "x"], ["-n"], ["more"], ["--no"]):
        done = stack.chorusctl("dash", *words)
        assert done.returncode == 2 and "-n" in done.stderr, words


# ---- the rest of the command line

def commands():
    with open(f"{ROOT}/chorusctl/main.c") as f:
        return re.findall(r'^    \{ "(\w+)", (?:NULL|"([\w-]+)"), -?\d, \w+,',
                          f.read(), re.M)


def test_each_command_has_help_with_an_example(stack):
    for group in sorted({group for group, _ in commands()}):
        done = stack.chorusctl(group, "--help")
        assert done.returncode == 0 and not done.stderr, group
        assert f"chorusctl {group}" in re.split(
            "(?i)examples?:?\n", done.stdout)[1], group
    for group, verb in commands():
        if verb:
            done = stack.chorusctl(group, verb, "x", "--help")
            assert done.returncode == 0 and verb in done.stdout


def complete(stack, *words):
    """What bash would offer for the last word."""
    script = stack.chorusctl("completion", "bash").stdout + """
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
compopt() { :; }
_chorusctl; printf '%s\\n' "${COMPREPLY[@]}"
"""
    done = subprocess.run(["bash", "-c", script, "bash", *words], text=True,
                          timeout=30, capture_output=True, check=True)
    assert not done.stderr
    return sorted(done.stdout.split())


def test_bash_completes_each_command(stack):
    every = sorted({group for group, _ in commands()})
    assert complete(stack, "chorusctl", "") == every
    assert complete(stack, "chorusctl", "-t", "file", "di") == ["differences"]
    assert complete(stack, "chorusctl", "-o", "") == ["json"]
    for name in every:
        assert complete(stack, "chorusctl", name, "") == sorted(
            verb for group, verb in commands() if group == name and verb), name
    assert complete(stack, "chorusctl", "repl", "pa") == ["pause"]
    assert complete(stack, "chorusctl", "repl", "list", "") == []
    assert complete(stack, "chorusctl", "check", "--level", "") == [
        "content", "full", "quick"]
    assert complete(stack, "chorusctl", "check", "--re") == [
        "--report", "--resume"]
    assert complete(stack, "chorusctl", "repl", "add", "x", "--t") == [
        "--tags", "--to"]
    assert complete(stack, "chorusctl", "limits", "show", "--") == ["--help"]


def options():
    """All that a command may be given."""
    text = ""
    for path in glob.glob(f"{ROOT}/chorusctl/*.c"):
        with open(path) as f:
            text += f.read()
    return set(re.findall(r'\{ "(--?[a-z-]+)", (?:&|NULL)', text)) \
        | set(re.findall(r'strcmp\(\*args, "(--?[a-z-]+)"\)', text))


def test_completion_and_the_man_page_have_each_option(stack):
    assert len(options()) > 20
    with open(f"{ROOT}/docs/chorusctl.1") as f:
        texts = [re.sub(r"\\f.", "", f.read()).replace("\\-", "-")]
    texts += [stack.chorusctl("completion", shell).stdout
              for shell in ("bash", "zsh")]
    for text in texts:
        words = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text))
        assert options() <= words, (options() - words, text)


def test_zsh_knows_each_command(stack):
    text = stack.chorusctl("completion", "zsh").stdout
    assert text.startswith("#compdef chorusctl\n")
    for group, verb in commands():
        assert re.search(rf"(?m)compadd --.* {group}\b", text)
        assert not verb or re.search(rf"(?m)^ +{group}\) .* {verb}\b", text)
    done = stack.chorusctl("completion", "fish")
    assert done.returncode == 2 and "fish" in done.stderr


@pytest.fixture
def zsh(the_stack):
    """With completion as its users have it."""
    terminal = Terminal(the_stack.folder, "zsh", 100, 40)
    terminal.type(f"cd {the_stack.folder}; PATH=$PWD/bin:$PATH "
                  "PS1='ready> ' LISTMAX=1000 exec zsh -f")
    terminal.wait(r"(?m)^ready>", "zsh")
    terminal.type("autoload -U compinit && compinit -u -d zcompdump; "
                  "source <(chorusctl completion zsh) && clear && echo so''urced")
    terminal.wait(r"(?m)^sourced$", "the script")
    yield terminal
    terminal.end()


def offered(zsh, line, expected):
    """What zsh makes of a line when TAB is pressed."""
    zsh("send-keys", "C-u")
    zsh.type("clear")
    zsh.wait(r"\Aready> *\n*\Z", "a clean screen")
    zsh("send-keys", "-l", line)
    zsh.key("Tab")
    return zsh.wait(expected, f"{line!r} and TAB")


def test_zsh_completes_as_it_should(stack, zsh):
    for line, expected in (
            ("chorusctl stat", "chorusctl status"),
            ("chorusctl repl pau", "chorusctl repl pause"),
            ("chorusctl -u http://x -o js", "-o json"),
            ("chorusctl limits u", "chorusctl limits unset"),
            ("chorusctl failed ", r"\n *drop +list +retry"),
            ("chorusctl repl add x --gua", "repl add x --guard"),
            ("chorusctl check --resu", "chorusctl check --resume"),
            ("chorusctl config check api.to", r"config check api\.token")):
        screen = offered(zsh, line, rf"(?m){expected} *$")
        assert "zsh:" not in screen and "_chorusctl:" not in screen, screen
    screen = offered(zsh, "chorusctl ", r"(?s)audit.*status")
    for group in {group for group, _ in commands()}:
        assert re.search(rf"(?m)(^| ){group}( |$)", screen), screen


def test_other_words_for_the_same(stack):
    def run(*words):
        done = stack.chorusctl("-t", stack.token_file, *words)
        assert done.returncode == 0, done
        return done.stdout
    assert run("limit", "show") == run("limits", "show")
    assert run("limit", "--help") == run("limits", "--help")
    assert run("failed", "list") == run("failed")
    assert run("failed", "retry", "--all") == run("retry", "--all")
    assert re.fullmatch(r"chorusctl \d+\.\d+\.\d+\n", run("--version"))


def test_exit_codes(stack, tmp_path):
    def code(*words, **env):
        return stack.chorusctl(*words, **env).returncode
    token = ("-t", stack.token_file)
    assert code(*token, "status") == 0
    assert code(*token, "repl", "show", "nothing") == 1, "there is none"
    (tmp_path / "token").write_text("another-token-of-nobody\n")
    assert code("-t", str(tmp_path / "token"), "status") == 1, "no rights"
    assert code(*token, "-t", "/nonexistent", "status") == 1
    assert code("wishes") == 2
    assert code(*token, "repl", "add") == 2
    assert code("-u", "http://127.0.0.1:1", *token, "status") == 3, "nobody"


def test_the_man_page_has_each_command(stack):
    with open(f"{ROOT}/docs/chorusctl.1") as f:
        text = f.read().replace("\\-", "-").replace('"', "")
    for group, verb in commands():
        words = f"{group} {verb}" if verb else group
        assert re.search(rf"(?m)^\.B[IR]? {words}(?: |$)", text), words
