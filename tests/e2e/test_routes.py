"""Which route answers, and how a path is decoded: once, and safely."""

import pytest

import apps

ROUTES = {
    "GET /a/:a": "abi#params",
    "GET /a/fixed": "abi#count",
    "GET /a/:a/b/:b": "abi#params",
    "GET /files/*": "abi#params",
    "GET /files/special/:b": "abi#params",
    "GET /fields/*": "abi#fields",
    "POST /a/fixed": "abi#count",
    "* /every": "abi#fields",
    "GET /every": "abi#count",
    "GET /deep/x/:a": "abi#params",
    "GET /deep/:a/y": "abi#params",
    "HEAD /own-head": "abi#script",
    "GET /own-head": "abi#count",
    "OPTIONS /own-options": "abi#count",
}


@pytest.fixture
def routes(use_shared, workshop):
    return use_shared("routes", apps.app(ROUTES, {"abi": workshop.c("abi")}))


def params(node, target):
    response = node.get(target)
    assert response.status == 200, response
    return dict(line.split("=", 1) for line in response.body.decode().splitlines())


def test_a_literal_wins_over_a_name(routes):
    assert routes.get("/a/fixed").text == "1"
    assert params(routes, "/a/other")["a"] == "other"


def test_a_name_wins_over_the_rest(routes):
    assert params(routes, "/files/special/x") == {"a": "-", "b": "x", "*": "-"}
    assert params(routes, "/files/other/x")["*"] == "other/x"


def test_what_leads_nowhere_falls_back_to_the_rest(routes):
    assert params(routes, "/files/special/x/y")["*"] == "special/x/y"


def test_a_dead_end_is_left_for_the_other_branch(routes):
    assert params(routes, "/deep/x/z")["a"] == "z"
    assert params(routes, "/deep/x/y")["a"] in ("y", "x")
    assert params(routes, "/deep/q/y")["a"] == "q"


def test_several_names_are_taken(routes):
    assert params(routes, "/a/one/b/two") == {"a": "one", "b": "two", "*": "-"}


def test_the_rest_is_taken_with_its_slashes(routes):
    assert params(routes, "/files/x/y/z.txt")["*"] == "x/y/z.txt"


@pytest.mark.parametrize("target", ["/a", "/a/", "/a/b/c", "/A/fixed", "/a/fixed/", "//a/fixed",
                                    "/a//b/x", "/unknown"])
def test_what_no_route_matches_is_404(routes, target):
    assert routes.get(target).status == 404


def test_a_method_of_its_own_wins_over_any(routes):
    assert routes.get("/every").text == "1"
    assert "method=DELETE" in routes.request("DELETE", "/every").text


def test_allow_lists_the_methods_of_all_routes_that_match(routes):
    response = routes.request("DELETE", "/a/fixed")
    assert response.status == 405
    assert sorted(response.header("allow").split(", ")) == ["GET", "HEAD", "OPTIONS", "POST"]


def test_a_route_for_head_or_options_is_asked_first(routes):
    before = routes.stats()["processes"]["spawned"]
    response = routes.request("HEAD", "/own-head?steps=r:202")
    assert response.status == 202
    assert routes.request("OPTIONS", "/own-options").text == "1"
    assert routes.stats()["processes"]["spawned"] == before + 2


@pytest.mark.parametrize("sent, seen", [
    ("x%20y", "x y"), ("%41", "A"), ("a+b", "a+b"), ("%2B", "+"), ("%25", "%"), ("%2541", "%41"),
    ("%C3%BC", "\u00fc"), ("a%2Fb", "a/b"), ("%3A", ":"), ("~.-_", "~.-_"), ("%3Fq", "?q"),
])
def test_a_parameter_is_decoded_once(routes, sent, seen):
    assert params(routes, "/a/" + sent)["a"] == seen


def test_an_encoded_slash_never_separates(routes):
    assert params(routes, "/a/x%2Fb%2Fy")["a"] == "x/b/y"
    assert routes.get("/a%2Ffixed").status == 404


def test_a_literal_matches_its_encoded_form(routes):
    assert routes.get("/%61/f%69xed").text == "1"


@pytest.mark.parametrize("target", [
    "/a/%", "/a/%4", "/a/%zz", "/a/%00", "/a/x%00y", "/files/../secret", "/files/%2e%2e/secret",
    "/files/%2E./secret", "/files/..", "/files/x/..%2f", "/..", "/files/%252e%252e/%zz",
])
def test_a_path_that_is_broken_or_climbs_is_400(routes, target):
    assert routes.get(target).status == 400


def test_dots_that_do_not_climb_are_ordinary(routes):
    assert params(routes, "/files/...")["*"] == "..."
    assert params(routes, "/files/a..b")["*"] == "a..b"
    assert params(routes, "/files/.hidden")["*"] == ".hidden"


def test_the_path_is_decoded_for_the_guest(routes):
    fields = dict(line.split("=", 1) for line in routes.get("/fields/x%20y?z=%20").text.splitlines())
    assert fields["path"] == "/fields/x y"
    assert fields["target"] == "/fields/x%20y?z=%20"
    assert fields["query"] == "z=%20"


def test_a_trailing_question_mark_is_an_empty_query(routes):
    fields = dict(line.split("=", 1) for line in routes.get("/fields/x?").text.splitlines())
    assert fields["path"] == "/fields/x"
    assert fields["query"] == ""
