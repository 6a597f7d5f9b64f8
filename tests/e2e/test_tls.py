"""TLS: what is agreed on, certificates, and every way in which a client may misbehave."""

import os
import shutil
import signal
import socket
import ssl
import threading

import h2.connection
import h2.events
import pytest

import apps
import pki
import tls_client
from client import request
from waiting import wait_until

MIB = 1 << 20
ROUTES = {"GET /": "zoo#hello", "POST /echo": "zoo#echo", "GET /stream": "zoo#stream",
          "GET /users/:id": "zoo#user", "GET /fields": "abi#fields", "POST /swallow": "abi#swallow",
          "GET /late": "abi#late", "GET /drip": "abi#drip", "GET /flood": "abi#flood"}


@pytest.fixture(scope="module")
def other_authority():
    made = pki.Authority("Another Authority")
    yield made
    made.remove()


@pytest.fixture(scope="module")
def localhost(authority):
    return authority.issue("localhost", "localhost")


def manifest(workshop, certificate, serve=None, client_ca=None, extra=(), more="", **sections):
    components = {"zoo": {"source": workshop.zoo(), "capability": "visitor"}, "abi": workshop.c("abi")}
    text = apps.app(ROUTES, components, serve=serve,
                    capabilities={"visitor": {"inherits": "sandboxed"}}, **sections)
    tls = "[serve.tls]\n" + apps.keys({"certificate": certificate[0], "key": certificate[1]})
    tls += apps.keys({"client-ca": client_ca}) if client_ca else ""
    for one in extra:
        tls += "[[serve.tls.extra]]\n" + apps.keys({"certificate": one[0], "key": one[1]})
    return text.replace("[serve.routes]\n", tls + "[serve.routes]\n", 1) + more


@pytest.fixture
def secure(use_shared, workshop, localhost):
    return use_shared("tls", manifest(workshop, localhost, serve={"max-body-bytes": 1 << 30}))


@pytest.fixture
def trust(authority):
    return tls_client.context(authority.path)


# ---- what is agreed on


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_are_spoken(secure, authority, version):
    assert secure.address.startswith("https://")
    made = tls_client.context(authority.path, least=version, most=version)
    with tls_client.Connection(secure.address, made) as connection:
        assert connection.sock.version() == version.name.replace("_", ".")
        assert connection.sock.compression() is None
        connection.send_request("GET", "/")
        assert connection.read().text == "hello\n"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_older_version_is_refused(secure, authority):
    made = tls_client.context(authority.path, least=ssl.TLSVersion.TLSv1,
                              most=ssl.TLSVersion.TLSv1_1)
    made.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        tls_client.Connection(secure.address, made)


def test_a_cipher_without_forward_secrecy_is_refused(secure, authority):
    made = tls_client.context(authority.path, most=ssl.TLSVersion.TLSv1_2)
    made.set_ciphers("AES128-GCM-SHA256:AES256-SHA")
    with pytest.raises(ssl.SSLError):
        tls_client.Connection(secure.address, made)


def test_http2_is_preferred(secure, authority):
    made = tls_client.context(authority.path, alpn=["http/1.1", "h2"])
    with tls_client.Connection(secure.address, made) as connection:
        assert connection.sock.selected_alpn_protocol() == "h2"
        session = h2.connection.H2Connection()
        session.initiate_connection()
        headers = [(":method", "GET"), (":path", "/fields"), (":scheme", "https"), (":authority", "a")]
        session.send_headers(1, headers, end_stream=True)
        connection.send(session.data_to_send())
        body, ended = b"", False
        while not ended:
            events = session.receive_data(connection.receive())
            connection.send(session.data_to_send())
            body += b"".join(one.data for one in events if isinstance(one, h2.events.DataReceived))
            ended = any(isinstance(one, h2.events.StreamEnded) for one in events)
        lines = body.decode().splitlines()
        assert "scheme=https" in lines and "host=a" in lines


def test_http1_is_spoken_to_who_asks_for_it(secure, authority):
    made = tls_client.context(authority.path, alpn=["http/1.1"])
    with tls_client.Connection(secure.address, made) as connection:
        assert connection.sock.selected_alpn_protocol() == "http/1.1"
        connection.send_request("GET", "/")
        assert connection.read().status == 200


def test_a_client_of_another_protocol_is_told_so(secure, authority):
    made = tls_client.context(authority.path, alpn=["imap", "ftp"])
    with pytest.raises(ssl.SSLError, match="no application protocol"):
        tls_client.Connection(secure.address, made)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_taken_up_again(secure, authority, version):
    made = tls_client.context(authority.path, least=version, most=version)
    with tls_client.Connection(secure.address, made) as connection:
        connection.send_request("GET", "/")
        connection.read()
        assert not connection.sock.session_reused
        session = connection.sock.session
    with tls_client.Connection(secure.address, made, session=session) as connection:
        assert connection.sock.session_reused
        connection.send_request("GET", "/")
        assert connection.read().status == 200


def test_the_guest_sees_the_scheme(secure, trust):
    with tls_client.Connection(secure.address, trust) as connection:
        connection.send_request("GET", "/fields")
        lines = connection.read().text.splitlines()
        assert "scheme=https" in lines
        assert "certificate=" in lines


# ---- certificates


def name_of(connection):
    return connection.sock.getpeercert()["subject"][0][0][1]


def test_the_certificate_follows_the_name_asked_for(serve, workshop, authority, localhost, trust):
    wide = authority.issue("wide", "*.example.org")
    narrow = authority.issue("narrow", "narrow.example.org", "example.net")
    node = serve(manifest(workshop, localhost, extra=[narrow, wide]))
    for name, expected in [("localhost", "localhost"), ("a.example.org", "wide"),
                           ("narrow.example.org", "narrow"), ("EXAMPLE.net", "narrow")]:
        with tls_client.Connection(node.address, trust, name=name) as connection:
            assert name_of(connection) == expected
            connection.send_request("GET", "/")
            assert connection.read().status == 200
    nobody = tls_client.context(authority.path)
    nobody.check_hostname = False
    for name in ["a.b.example.org", "elsewhere.test", None]:
        with tls_client.Connection(node.address, nobody, name=name) as connection:
            assert name_of(connection) == "localhost"


def fails(address, made, **options):
    """Whether the handshake or, in TLS 1.3, the first reading fails."""
    try:
        with tls_client.Connection(address, made, **options) as connection:
            connection.send_request("GET", "/")
            connection.sock.recv(1)
    except (ssl.SSLError, ConnectionError):
        return True
    return False


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_clients_without_the_right_certificate_are_turned_away(
        serve, workshop, authority, other_authority, localhost, version):
    node = serve(manifest(workshop, localhost, client_ca=authority.path))
    client = authority.issue("client", subject="/CN=alice/O=Some Firm")
    stranger = other_authority.issue("client", subject="/CN=alice")

    def made(certificate):
        return tls_client.context(authority.path, certificate=certificate, least=version, most=version)
    assert fails(node.address, made(None))
    assert fails(node.address, made(stranger))
    with tls_client.Connection(node.address, made(client)) as connection:
        for _ in range(2):
            connection.send_request("GET", "/fields")
            assert "certificate=O=Some Firm,CN=alice" in connection.read().text.splitlines()


def test_a_session_does_not_stand_in_for_a_certificate(serve, workshop, authority, localhost):
    node = serve(manifest(workshop, localhost, client_ca=authority.path))
    made = tls_client.context(authority.path, certificate=authority.issue("bob"))
    with tls_client.Connection(node.address, made) as connection:
        connection.send_request("GET", "/")
        connection.read()
        session = connection.sock.session
    with tls_client.Connection(node.address, made, session=session) as connection:
        assert connection.sock.session_reused
        connection.send_request("GET", "/fields")
        assert "certificate=CN=bob" in connection.read().text.splitlines()


def test_sighup_reads_certificates_again_and_cuts_nobody(serve, workshop, authority, home, trust):
    for source, target in zip(authority.issue("before", "localhost"), ["live.pem", "live.key"]):
        shutil.copy(source, home.path(target))
    node = serve(manifest(workshop, ("live.pem", "live.key")), home=home)
    with tls_client.Connection(node.address, trust) as first:
        assert name_of(first) == "before"
        after = authority.issue("after", "localhost")
        shutil.copy(after[0], home.path("live.pem"))
        node.process.send_signal(signal.SIGHUP)
        node.log.wait_for("does not belong to the certificate")
        node.log.wait_for("the certificates stay as they were")
        with tls_client.Connection(node.address, trust) as second:
            assert name_of(second) == "before"
        shutil.copy(after[1], home.path("live.key"))
        node.process.send_signal(signal.SIGHUP)
        node.log.wait_for("certificates read again")
        with tls_client.Connection(node.address, trust) as second:
            assert name_of(second) == "after"
            for connection in [first, second]:
                connection.send_request("GET", "/")
                assert connection.read().status == 200


# ---- HTTP as without


def test_requests_follow_each_other_on_a_connection(secure, trust):
    accepted = secure.stats()["connections"]["accepted"]
    with tls_client.Connection(secure.address, trust) as connection:
        for _ in range(50):
            connection.send_request("GET", "/")
            assert connection.read().text == "hello\n"
    assert secure.stats()["connections"]["accepted"] == accepted + 1


def test_pipelined_requests_are_answered_in_order(secure, trust):
    with tls_client.Connection(secure.address, trust) as connection:
        connection.send(b"".join(request("GET", f"/users/{i}") for i in range(300)))
        assert [connection.read().json()["id"] for _ in range(300)] == [str(i) for i in range(300)]


def test_pipelined_requests_in_records_of_a_byte_are_answered_in_order(secure, trust):
    data = b"".join(request("GET", f"/users/{i}") for i in range(20))
    with tls_client.Connection(secure.address, trust) as connection:
        for i in range(len(data)):
            connection.send(data[i:i + 1])
        assert [connection.read().json()["id"] for _ in range(20)] == [str(i) for i in range(20)]


def test_pipelined_bodies_do_not_run_into_each_other(secure, trust):
    bodies = [b"a" * 10, b"", b"b" * 200000, b"GET / HTTP/1.1\r\n\r\n", b"c" * 16384, b"d" * 16385]
    with tls_client.Connection(secure.address, trust) as connection:
        connection.send(b"".join(request("POST", "/echo", body=body) for body in bodies))
        assert [connection.read().body for _ in bodies] == bodies


def test_a_large_body_goes_up(secure, trust):
    with tls_client.Connection(secure.address, trust) as connection:
        connection.send_request("POST", "/swallow", body=b"b" * (24 * MIB))
        assert connection.read().text == f"{24 * MIB} 0"


def test_a_large_stream_comes_down_whole(secure, trust):
    with tls_client.Connection(secure.address, trust) as connection:
        for _ in range(2):
            connection.send_request("GET", "/stream?n=2000&size=16384")
            response = connection.read()
            assert len(response.body) == 2000 * 16384
            assert not response.cut


def test_both_directions_at_once(secure, trust):
    body = os.urandom(5 * MIB)
    with tls_client.Connection(secure.address, trust) as connection:
        connection.send_request("POST", "/echo", body=body)
        assert connection.read().body == body


def settled(node):
    last = []

    def still():
        last.append(node.stats()["connections"]["buffered_bytes"])
        return len(last) >= 8 and len(set(last[-8:])) == 1
    wait_until(still, 30)
    return last[-1]


def test_a_slow_reader_parks_the_writer_and_gets_everything(secure, trust):
    with tls_client.Connection(secure.address, trust, receive_bytes=4096) as connection:
        connection.send_request("GET", "/stream?n=400&size=16384")
        assert settled(secure) <= 2 * 262144 + 65536 + 32768, "more than a stream's buffer is held"
        response = connection.read()
        assert len(response.body) == 400 * 16384
        assert not response.cut


def test_a_slow_reader_that_leaves_costs_nothing(secure, trust):
    for _ in range(10):
        with tls_client.Connection(secure.address, trust, receive_bytes=4096) as connection:
            connection.send_request("GET", "/stream?n=100000&size=16384")
            connection.receive(1)
            connection.reset()
    secure.wait_processes(0)


def test_a_slow_guest_makes_the_sender_wait(serve, workshop, localhost, trust):
    node = serve(manifest(workshop, localhost, serve={"max-body-bytes": 1 << 40, "body-bytes-per-second": 0,
                                                      "stream-buffer-bytes": 65536}))
    with tls_client.Connection(node.address, trust) as connection:
        connection.send(request("POST", "/swallow?pause=50&piece=65536",
                                [("Content-Length", str(4 * MIB))]))
        connection.send(b"b" * (4 * MIB))
        assert connection.read().text == f"{4 * MIB} 0"


def test_many_clients_at_once_are_all_served(secure, trust):
    failures = []

    def visit():
        try:
            for _ in range(5):
                with tls_client.Connection(secure.address, trust) as connection:
                    for _ in range(5):
                        connection.send_request("GET", "/stream?n=20&size=5000")
                        assert len(connection.read().body) == 100000
        except Exception as failure:  # pylint: disable=broad-except
            failures.append(failure)
    threads = [threading.Thread(target=visit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


# ---- ends


def test_the_server_says_goodbye(secure, trust):
    with tls_client.Carried(secure.address, trust) as carried:
        carried.shake()
        carried.send(request("GET", "/", [("Connection", "close")]))
        assert carried.receive_all().endswith(b"hello\n")  # an ssl.SSLError without a goodbye


def test_an_idle_connection_ends_with_a_goodbye(serve, workshop, localhost, trust):
    node = serve(manifest(workshop, localhost, serve={"idle-timeout-ms": 1000}))
    with tls_client.Carried(node.address, trust) as carried:
        carried.shake()
        assert carried.receive_all() == b""


def test_an_answer_that_is_cut_ends_without_a_goodbye(serve, workshop, localhost, trust):
    node = serve(manifest(workshop, localhost, serve={"stream-deadline-ms": 1000}))
    with tls_client.Carried(node.address, trust) as carried:
        carried.shake()
        carried.send(request("GET", "/flood", version="1.0"))
        with pytest.raises(ssl.SSLError):
            while carried.receive_all():
                pass


def test_a_client_that_has_said_goodbye_is_still_answered(secure, trust):
    with tls_client.Carried(secure.address, trust) as carried:
        carried.shake()
        carried.send(request("GET", "/stream?n=3&size=10"))
        carried.send(request("GET", "/"))
        carried.end_sending()
        assert b"hello\n" in carried.receive_all()


def test_a_goodbye_and_a_closed_socket_behind_the_request_count_as_half_close(secure, trust):
    with tls_client.Carried(secure.address, trust) as carried:
        carried.shake()
        carried.send(request("GET", "/"))
        carried.end_sending()
        carried.sock.shutdown(socket.SHUT_WR)
        assert carried.receive_all().endswith(b"hello\n")


def test_a_body_without_its_rest_fails_the_guests_read(secure, trust):
    for goodbye in [True, False]:
        with tls_client.Carried(secure.address, trust) as carried:
            carried.shake()
            carried.send(request("POST", "/swallow", [("Content-Length", "1000")], b"some"))
            secure.wait_processes(1)
            if goodbye:
                carried.end_sending()
            carried.sock.shutdown(socket.SHUT_WR)
            secure.wait_processes(0)


def test_an_end_without_a_goodbye_is_a_client_that_has_left(serve, workshop, localhost, trust):
    """Somebody in between may have cut it off: what was asked is not known to be all."""
    node = serve(manifest(workshop, localhost, serve={"disconnect-grace-ms": 0}))
    with tls_client.Carried(node.address, trust) as carried:
        carried.shake()
        carried.send(request("GET", "/drip"))
        node.wait_processes(1)
        carried.sock.shutdown(socket.SHUT_WR)
        node.wait_processes(0)
        with pytest.raises(ssl.SSLError):
            carried.receive_all()


# ---- handshakes that go wrong


def test_plain_http_is_told_where_it_came(secure):
    with tls_client.bare(secure.address) as sock:
        sock.sendall(request("GET", "/"))
        answer = b""
        while data := sock.recv(4096):
            answer += data
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"https://" in answer


@pytest.mark.parametrize("garbage", [
    b"\x00" * 100, b"\xff" * 5000, b"\x80\x2e\x01\x00\x02", b"get / http\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x28",
    b"\x16\x03\x01\xff\xff" + b"\x01" * 100, b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
    b"\x16\x03\x01\x00\x00" * 100, b"\x16\x03\x01\x40\x00" + b"\x02" * 16384, b"\x16GET / HTTP/1.1\r\n\r\n"])
def test_garbage_ends_the_connection(secure, garbage):
    with tls_client.bare(secure.address) as sock:
        try:
            sock.sendall(garbage)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(4096):
                pass
        except OSError:
            pass
    secure.check_baseline()


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_leaving_at_every_byte_of_the_hello_leaves_nothing(secure, trust, how):
    with tls_client.Carried(secure.address, trust) as carried:
        hello = carried.first_flight()
    for size in range(len(hello) + 1):
        sock = tls_client.bare(secure.address)
        sock.sendall(hello[:size])
        tls_client.reset(sock) if how == "reset" else sock.close()
    secure.check_baseline()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_leaving_at_every_byte_of_the_end_of_a_handshake_leaves_nothing(secure, authority, version):
    made = tls_client.context(authority.path, least=version, most=version)
    size, most = 0, 1
    while size <= most:
        with tls_client.Carried(secure.address, made) as carried:
            carried.sock.sendall(carried.first_flight())
            flight = carried.second_flight()
            most = len(flight)
            carried.sock.sendall(flight[:size])
        size += 1
    secure.check_baseline()


def test_a_handshake_byte_by_byte_is_as_good_as_any(secure, trust):
    with tls_client.Carried(secure.address, trust) as carried:
        for flight in [carried.first_flight, carried.second_flight]:
            for byte in flight():
                carried.sock.sendall(bytes([byte]))
        carried.shake()
        carried.send(request("GET", "/", [("Connection", "close")]))
        assert carried.receive_all().endswith(b"hello\n")


@pytest.mark.parametrize("sent", [0, 1, 5, 100, "hello"])
def test_a_handshake_has_the_time_of_a_head(serve, workshop, localhost, trust, sent):
    node = serve(manifest(workshop, localhost, serve={"header-timeout-ms": 200}))
    with tls_client.Carried(node.address, trust) as carried:
        hello = carried.first_flight()
        carried.sock.sendall(hello if sent == "hello" else hello[:sent])
        while carried.fetch():  # what the server says to a whole hello
            pass


def test_one_who_drips_its_handshake_is_cut(serve, workshop, localhost, trust):
    node = serve(manifest(workshop, localhost, serve={"header-timeout-ms": 200}))
    with tls_client.Carried(node.address, trust) as carried:
        hello = carried.first_flight()
        carried.sock.settimeout(0.02)
        closed = False
        for byte in hello:  # at this pace it would take longer than the time that there is
            try:
                carried.sock.sendall(bytes([byte]))
                closed = carried.sock.recv(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                closed = True
            if closed:
                break
        assert closed


def test_too_many_are_told_so_by_tls(serve, workshop, localhost, trust):
    node = serve(manifest(workshop, localhost, node={"max-connections": 1}))
    with tls_client.Connection(node.address, trust) as first:
        first.send_request("GET", "/")
        assert first.read().status == 200
        with tls_client.Connection(node.address, trust) as second:
            assert second.read().status == 503


def test_a_drain_lets_a_handshake_end(serve, workshop, localhost, trust):
    node = serve(manifest(workshop, localhost))
    with tls_client.Carried(node.address, trust) as carried:
        carried.sock.sendall(carried.first_flight())
        flight = carried.second_flight()
        node.terminate()
        node.log.wait_for("draining")
        carried.sock.sendall(flight)
        carried.send(request("GET", "/"))
        assert carried.receive_all().endswith(b"hello\n")
    assert node.wait() == 0


def test_a_unix_socket_speaks_tls_too(serve, workshop, home, localhost, trust):
    path = home.path("tls.sock")
    node = serve(manifest(workshop, localhost, serve={"listen": "unix:" + path}))
    with tls_client.Connection(node.address, trust) as connection:
        connection.send_request("GET", "/fields")
        lines = connection.read().text.splitlines()
        assert "scheme=https" in lines and "remote=unix" in lines


# ---- what is wrong with a manifest or its files


def check(home, workshop, certificate, **options):
    home.write("mote.toml", manifest(workshop, certificate, **options))
    return home.run("check", "-f", "mote.toml")


def refusal(home, workshop, certificate, **options):
    done = check(home, workshop, certificate, **options)
    assert done.status == 2, done
    return done.err


def place(home, key):
    """`mote.toml:line:column:` of the value of `key`."""
    with open(home.path("mote.toml"), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.startswith(key + " = "):
                return f"mote.toml:{number}:{len(key) + 4}:"
    raise AssertionError(f"no {key}")


def test_settings_of_tls_are_shown(home, workshop, localhost, authority):
    done = check(home, workshop, localhost, client_ca=authority.path)
    assert done.status == 0, done
    assert "warning" not in done.err
    for path in [*localhost, authority.path]:
        assert path in done.out


def test_a_missing_file_is_told_with_its_place(home, workshop, localhost):
    err = refusal(home, workshop, ("nowhere.pem", localhost[1]))
    assert place(home, "certificate") + " 'certificate': there is no file nowhere.pem" in err


def test_an_unreadable_key_is_told_with_its_place(home, workshop, localhost, is_root):
    if is_root:
        pytest.skip("root may read everything")
    key = home.write("locked.key", "x")
    os.chmod(key, 0)
    err = refusal(home, workshop, (localhost[0], key))
    assert place(home, "key") in err and "permission" in err.lower()


def test_a_key_of_another_certificate_is_told(home, workshop, authority, localhost):
    other = authority.issue("other")
    err = refusal(home, workshop, (localhost[0], other[1]))
    assert place(home, "key") in err and "does not belong to the certificate" in err


@pytest.mark.parametrize("content, told", [
    ("", "is no PEM file"), ("hello", "is no PEM file"),
    ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "is damaged")])
def test_a_file_that_is_no_certificate_is_told(home, workshop, localhost, content, told):
    err = refusal(home, workshop, (home.write("bad.pem", content), localhost[1]))
    assert place(home, "certificate") in err and told in err


def test_files_that_were_swapped_are_told(home, workshop, localhost):
    err = refusal(home, workshop, (localhost[1], localhost[0]))
    assert "holds no certificate but a key" in err
    assert "holds no private key but a certificate" in err


def test_a_key_with_a_password_is_told(home, workshop, localhost):
    key = home.path("sealed.key")
    pki.openssl("pkey", "-in", localhost[1], "-aes256", "-passout", "pass:secret", "-out", key)
    err = refusal(home, workshop, (localhost[0], key))
    assert place(home, "key") in err and "has a password" in err


def test_a_certificate_that_has_expired_is_refused(home, workshop, authority):
    old = authority.issue("old", "localhost", begin="20200101000000Z", end="20200201000000Z")
    err = refusal(home, workshop, old)
    assert place(home, "certificate") in err and "expired on 2020-02-01" in err


def test_a_certificate_of_the_future_is_refused(home, workshop, authority):
    early = authority.issue("early", "localhost", begin="20900101000000Z", end="20910101000000Z")
    assert "valid from 2090-01-01" in refusal(home, workshop, early)


def test_a_certificate_that_expires_soon_is_a_warning(home, workshop, authority):
    done = check(home, workshop, authority.issue("soon", "localhost", days=13))
    assert done.status == 0
    assert place(home, "certificate") + " warning: " in done.err and "expires on" in done.err


def test_a_key_that_others_can_read_is_a_warning(home, workshop, localhost):
    key = home.path("open.key")
    shutil.copy(localhost[1], key)
    os.chmod(key, 0o644)
    done = check(home, workshop, (localhost[0], key))
    assert done.status == 0
    assert place(home, "key") + " warning: " in done.err and "0644" in done.err


def test_a_preopen_that_holds_a_key_is_refused(home, workshop, localhost):
    os.mkdir(home.path("data"))
    for path in localhost:
        shutil.copy(path, home.path("data"))
    mine = [home.path("data", os.path.basename(path)) for path in localhost]
    more = ('[components.reader]\nsource = "' + workshop.c("abi") + '"\ncapability = "reader"\n'
            '[capabilities.reader]\npreopen = ["data"]\n')
    err = refusal(home, workshop, mine, more=more)
    assert "preopen 'data' of [components.reader] holds" in err and "localhost.key" in err


def test_everything_that_is_wrong_is_told_at_once(home, workshop, authority, localhost):
    old = authority.issue("old2", begin="20200101000000Z", end="20200201000000Z")
    err = refusal(home, workshop, (localhost[0], old[1]), extra=[old], client_ca=localhost[1])
    assert "does not belong" in err and "expired" in err and "holds no certificate" in err
