"""test_oauth.py - tokens of an issuer: which are taken, what the others are told, and what happens when the issuer is away."""
import http.server
import json
import threading
import time

from backplane_test import check, check_equal, check_logged, run, run_tests, wait_until
from issuer import Issuer, Key, b64
from mcp_test import Session, call_modern, guarded_server, modern, modern_request, open_raw, raw_post

RESOURCE = "https://mcp.example.org/mcp"
issuer = Issuer(RESOURCE, path="/realm")
issuer.start()
AUTH = {"issuer": issuer.url, "audience": [RESOURCE, "https://other.example.org"], "tenant_claim": "tenant"}


class Upstream:
    """An LLM provider that notes what it is sent."""

    def __init__(self):
        upstream, self.seen = self, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                upstream.seen.append((self.requestline, str(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
                body = (b'data: {"choices":[{"index":0,"delta":{"content":"Paris."}}]}\n\n'
                        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


upstream = Upstream()
server = guarded_server(
    {"auth": {"mode": "both", "storage": "main", "wrong_keys_per_minute": 0, **AUTH}}, embed={"main": {"use": "hash"}}, log={"level": "debug"},
    vector={"docs": {"use": "local", "path": "docs"}},
    llm={"stub": {"use": "openai", "url": upstream.url, "model": "m", "api_key": "provider-key"}},
    app={"retrieval": {"storage": "main", "vector": "docs", "embed": "main", "llm": ["stub"]}})
sent_tokens = []


def bearer(token):
    sent_tokens.append(token)
    return {"Authorization": "Bearer " + token}


def status_of(token, **more):
    answer = call_modern(server, "echo", {}, bearer(token), **more)
    if answer.status == 401:
        check("resource_metadata=" in answer.headers["WWW-Authenticate"], answer.headers["WWW-Authenticate"])
        check(token[-20:] not in answer.body.decode(), "the token is repeated to the client")
    return answer.status


# ---- while the issuer is away ----

def before_the_first_keys_nobody_gets_in_and_the_issuer_is_left_in_peace():
    token, port = issuer.token(), issuer.port
    issuer.stop()
    try:
        answer = call_modern(server, "echo", {}, bearer(token))
        check_equal(answer.status, 401, f"a token that cannot be checked: {answer.body}")
        check("Retry-After" in answer.headers and "WWW-Authenticate" in answer.headers, "when to try again, and how")
        check(str(port) not in answer.body.decode(), f"the client is told where the issuer is: {answer.body}")
        check(str(port) in server.find_event("issuer_unreachable")["message"], "the log says where")
        check_equal(modern(server, "tools/list").status, 401, "no token is no reason to ask the issuer")
        started = time.monotonic()
        check_equal({status_of(token) for _ in range(20)}, {401}, "others meanwhile")
        check(time.monotonic() - started < 1, "each of them waits for the issuer")
    finally:
        issuer.port = port
        issuer.start()
    wait_until(lambda: status_of(token) == 200, 8, "the issuer is back, and nobody asks it")


def cached_keys_serve_while_the_issuer_is_down():
    token, port = issuer.token(), issuer.port
    issuer.stop()
    try:
        check_equal([status_of(token) for _ in range(10)], [200] * 10, "with the keys of before")
    finally:
        issuer.port = port
        issuer.start()


# ---- tokens ----

def each_algorithm_is_taken_with_a_key_of_its_kind():
    for alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "EdDSA"):
        check_equal(status_of(issuer.token(alg)), 200, alg)
        check_equal(status_of(issuer.token(alg, header={"kid": None})), 200, f"{alg} without a key's name")
        check_equal(status_of(issuer.token(alg, signature=b"\0" * 64)), 401, f"{alg} with another signature")
        token = issuer.token(alg)
        head, body, signature = token.split(".")
        forged = b64(json.dumps(issuer.claims(sub="admin", scope="*")).encode())
        check_equal(status_of(f"{head}.{forged}.{signature}"), 401, f"{alg} with other claims")


def claims_must_be_for_this_server_and_for_now():
    now = int(time.time())
    good = [{"aud": [RESOURCE]}, {"aud": ["https://x.example", RESOURCE]}, {"aud": "https://other.example.org"},
            {"nbf": now - 10}, {"exp": now - 30}, {"nbf": now + 30}, {"exp": now + 100.5}, {"iat": now}]
    bad = [{"aud": "https://x.example"}, {"aud": None}, {"aud": []}, {"aud": ["https://x.example"]}, {"aud": {"a": RESOURCE}},
           {"aud": RESOURCE + "/"}, {"aud": RESOURCE[:-1]}, {"aud": RESOURCE.upper()}, {"aud": [[RESOURCE]]},
           {"exp": now - 120}, {"exp": None}, {"exp": "tomorrow"}, {"exp": str(now + 600)}, {"exp": True},
           {"nbf": now + 120}, {"nbf": "now"}, {"iss": "https://evil.example"}, {"iss": None}, {"iss": issuer.url + "/"},
           {"iss": [issuer.url]}, {"sub": None}, {"sub": ""}, {"sub": 5}, {"tenant": None}, {"tenant": ""}, {"tenant": 7}]
    for claims in good:
        check_equal(status_of(issuer.token(**claims)), 200, f"{claims}")
    for claims in bad:
        check_equal(status_of(issuer.token(**claims)), 401, f"{claims}")


def what_is_no_token_of_the_issuer_is_refused():
    claims = b64(json.dumps(issuer.claims(scope="*")).encode())
    none = [b64(json.dumps({"alg": alg, "kid": kid}).encode()) + "." + claims + "." + signature
            for alg in ("none", "None", "NONE", "", "HS256") for kid in ("key-RSA", "../../../dev/null", "")
            for signature in ("", "AA", b64(b""), "=")]
    other = Key(issuer.folder, "mine", "RSA")
    head = b64(json.dumps({"alg": "RS256", "kid": "key-RSA", "jwk": other.public()}).encode())
    own_key = f"{head}.{claims}." + b64(other.sign("RS256", f"{head}.{claims}".encode()))
    bad = none + [own_key, issuer.token_with_public_key_as_secret(), issuer.token(header={"crit": ["exp"]}),
                  issuer.token("RS256", header={"alg": "PS256"}), issuer.token("ES256", header={"kid": "key-RSA"}),
                  issuer.token() + ".x", issuer.token()[:-3], ".", "..", "...", "a.b.c", "e30.e30.AA", "x" * 6000,
                  issuer.token(header={"kid": "' OR 1=1 --"}, key=other), issuer.token(header={"kid": "../../keys/x"}, key=other)]
    for token in bad:
        check_equal(status_of(token), 401, token[:60])
    huge = server.raw(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + b"a" * (1 << 20) + b"\r\n\r\n")
    check(huge.startswith(b"HTTP/1.1 431 "), f"a bearer of 1 MiB: {huge[:60]!r}")
    check_equal(status_of(issuer.token()), 200, "a good one afterwards")


def a_token_in_the_address_or_the_body_is_not_taken():
    token = issuer.token()
    body, headers = modern_request("tools/list")
    sent_tokens.append(token)
    check_equal(server.post(f"/mcp?access_token={token}", body, headers=headers).status, 401, "in the address")
    form = server.post("/mcp", ("access_token=" + token).encode(), headers={"Content-Type": "application/x-www-form-urlencoded"})
    check_equal(form.status, 401, "in the body")
    check_equal(server.post("/mcp", body, headers={**headers, "Authorization": "Basic " + token}).status, 401, "as Basic")
    check_equal(server.post("/mcp", body, headers={**headers, "Cookie": "access_token=" + token}).status, 401, "as a cookie")
    check(token not in server.log_text(), "the log shows a token")


# ---- keys that change ----

def keys_that_nobody_knows_make_the_issuer_be_asked_twice_a_minute_at_most():
    new = Key(issuer.folder, "rotated", "P-256")
    stranger = Key(issuer.folder, "stranger", "P-256")
    issuer.published.append(new)
    before, started, due = issuer.fetches(), time.monotonic(), issuer.last_fetch + 30.5
    check_equal({status_of(issuer.token("ES256", key=stranger)) for _ in range(40)}, {401}, "a key that nobody knows")
    while True:  # until the issuer may be asked again
        is_due = time.monotonic() > due
        asked = server.get("/health", headers=bearer(issuer.token("ES256", key=stranger)))
        check_equal(asked.status, 200, "/health with such a key")
        if is_due:
            break
        time.sleep(0.2)
    check_equal(issuer.fetches(), before, "fetches for somebody who asks how the server is")
    wait_until(lambda: status_of(issuer.token("ES256", key=new)) == 200, 10, "the new key is never fetched")
    for _ in range(20):
        check_equal(status_of(issuer.token("ES256", key=stranger)), 401, "still nobody knows it")
    took = time.monotonic() - started
    check(issuer.fetches() - before <= 1 + took / 30, f"{issuer.fetches() - before} fetches in {took:.0f} s")
    check_equal(status_of(issuer.token("ES256")), 200, "the old key as well")


# ---- what clients are told ----

def the_document_of_the_resource_says_where_to_get_a_token():
    for path in ("/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"):
        answer = server.get(path)
        check_equal(answer.status, 200, path)
        check_equal(answer.json["resource"], RESOURCE, "resource")
        check_equal(answer.json["authorization_servers"], [issuer.url], "authorization_servers")
        check_equal(answer.json["bearer_methods_supported"], ["header"], "bearer_methods_supported")
        scopes = answer.json["scopes_supported"]
        check("guarded:read" in scopes and "guarded:write" in scopes, f"scopes {scopes}")
        check(not any("*" in scope for scope in scopes), f"a scope for everything: {scopes}")
    refused = modern(server, "tools/list")
    challenge = refused.headers["WWW-Authenticate"]
    check_equal(refused.status, 401, "no token")
    check('resource_metadata="https://mcp.example.org/.well-known/oauth-protected-resource/mcp"' in challenge, challenge)
    check("error=" not in challenge, "who sent none is told of no error")
    wrong = modern(server, "tools/list", headers=bearer("x.y.z")).headers["WWW-Authenticate"]
    check('error="invalid_token"' in wrong, wrong)
    odd = server.get("/mcp/%22%0d%0aX-Evil:%201")
    check("X-Evil" not in odd.headers and odd.headers.get("WWW-Authenticate", "").count('"') % 2 == 0, f"{odd.headers}")


def the_endpoint_of_one_app_is_a_resource_of_its_own():
    answer = server.get("/.well-known/oauth-protected-resource/mcp/guarded")
    check_equal((answer.status, answer.json["resource"]), (200, RESOURCE + "/guarded"), "its document fits its path (RFC 9728 3.3)")
    check_equal(server.get("/.well-known/oauth-protected-resource/api/v1/search").status, 404, "a route is none")
    body, headers = modern_request("tools/list")
    challenge = server.post("/mcp/guarded", body, headers=headers).headers["WWW-Authenticate"]
    check('resource_metadata="https://mcp.example.org/.well-known/oauth-protected-resource/mcp/guarded"' in challenge, challenge)
    route = server.post("/api/v1/search", {}).headers["WWW-Authenticate"]
    check('resource_metadata="https://mcp.example.org/.well-known/oauth-protected-resource/mcp"' in route, route)

    def status_at(path, token):
        return server.post(path, body, headers={**headers, **bearer(token)}).status
    own = issuer.token(aud=RESOURCE + "/guarded")
    check_equal([status_at(path, own) for path in ("/mcp/guarded", "/mcp", "/mcp/retrieval")], [200, 401, 401], "a token for it alone")
    check_equal(status_at("/mcp/guarded", issuer.token()), 200, "a token for the whole")


def too_little_scope_is_told_with_the_scope():
    token = issuer.token(scope="guarded:read openid")
    check_equal(call_modern(server, "read", {}, bearer(token)).status, 200, "what the scope allows")
    refused = call_modern(server, "write", {}, bearer(token))
    check_equal(refused.status, 403, "what it does not")
    challenge = refused.headers["WWW-Authenticate"]
    check('error="insufficient_scope"' in challenge and 'scope="guarded:write"' in challenge, challenge)
    check("resource_metadata=" in challenge, challenge)
    check_equal(call_modern(server, "write", {}, bearer(issuer.token(scp=["guarded:write"]))).status, 200, "scp")
    for scope in (None, "", "guarded:writer", "guarded:writ", "GUARDED:WRITE", "guarded", ["x", "y"], 5):
        check_equal(call_modern(server, "write", {}, bearer(issuer.token(scope=scope))).status, 403, f"scope {scope!r}")
    route = server.get("/metrics", headers=bearer(token))
    check_equal(route.status, 403, "a route of the host")
    check("host:read" in route.headers["WWW-Authenticate"], route.headers["WWW-Authenticate"])


def tenant_and_subject_separate_what_clients_keep():
    session = Session(server, headers=bearer(issuer.token()))
    check_equal(session.call("echo").status, 200, "its own")
    again = bearer(issuer.token("ES256"))
    check_equal(session.call("echo", headers=again).status, 200, "another token of the same")
    for claims in ({"sub": "bob"}, {"tenant": "t2"}, {"sub": "alice\0t1", "tenant": "x"}, {"sub": "a" * 300}):
        other = session.request("ping", headers=bearer(issuer.token(**claims)))
        check_equal(other.status, 404, f"the session with {claims}")
    long_one = Session(server, headers=bearer(issuer.token(sub="a" * 299 + "b")))
    check_equal(long_one.request("ping", headers=bearer(issuer.token(sub="a" * 299 + "c"))).status, 404, "a name that is long")
    check_equal(session.request("ping", headers=bearer(issuer.token(exp=1))).status, 401, "an expired token of the same")
    collections = {"scope": "retrieval:read retrieval:write"}
    one, two = bearer(issuer.token(**collections)), bearer(issuer.token(tenant="t2", **collections))
    check_equal(server.post("/api/v1/collections/mine", {}, headers=one).status, 200, "a collection of t1")
    check_equal(server.get("/api/v1/collections/mine", headers=one).status, 200, "seen by t1")
    check_equal(server.get("/api/v1/collections/mine", headers=two).status, 404, "seen by t2")


def keys_and_tokens_live_side_by_side():
    done = server.run("key", "create", "--name", "k", "--tenant", "t1", "--scopes", "guarded:read")
    key = done.stdout.strip()
    check_equal(call_modern(server, "read", {}, bearer(key)).status, 200, "a key")
    check_equal(call_modern(server, "read", {}, {"X-API-Key": key}).status, 200, "a key in its own header")
    check_equal(call_modern(server, "write", {}, bearer(key)).status, 403, "a key without the scope")
    check_equal(status_of("bp_" + issuer.token()), 401, "a token that begins like a key")
    check_equal(status_of(key[:-1]), 401, "a cut key")
    session = Session(server, headers=bearer(key))
    check_equal(session.request("ping", headers=bearer(issuer.token())).status, 404, "the session of the key by a token")


# ---- and it goes nowhere ----

def the_token_of_a_client_never_leaves_the_server():
    token = issuer.token(scope="retrieval:read retrieval:write")
    sent = bearer(token)
    check_equal(server.post("/api/v1/collections/france", {}, headers=sent).status, 200, "a collection")
    put = server.post("/api/v1/collections/france/documents", {"documents": [
        {"id": "1", "text": "The capital of France is Paris."}]}, headers=sent)
    check_equal(put.status, 200, f"a document: {put.body}")
    answer = server.post("/api/v1/answer", {"collection": "france", "question": "What is the capital of France?"}, headers={
        **sent, "X-API-Key": "x", "Cookie": "session=" + token, "Proxy-Authorization": "Bearer " + token})
    check_equal(answer.status, 200, f"an answer: {answer.body}")
    check(upstream.seen, "the provider was not asked")
    for line, headers, body in upstream.seen:
        check("Bearer provider-key" in headers, headers)
        check("Cookie" not in headers and "Proxy-Authorization" not in headers, headers)
        for one in sent_tokens:
            check(len(one) < 40 or (one not in line + headers and one.encode() not in body), "a token reached the provider")
    for path, headers in issuer.asked:
        check("Authorization" not in headers, f"{path} was asked with {headers}")
    log = server.log_text()
    check(not any(len(one) > 40 and (one in log or one[-43:] in log) for one in sent_tokens), "the log shows a token")


# ---- the issuer's word ----

def metadata_of_another_issuer_is_not_taken():
    with Issuer(RESOURCE) as stranger:
        stranger.metadata = {"issuer": "https://evil.example"}
        with guarded_server({"auth": {"mode": "oauth", "issuer": stranger.url, "audience": [RESOURCE]}}) as other:
            answer = call_modern(other, "echo", {}, {"Authorization": "Bearer " + stranger.token()})
            check_equal(answer.status, 401, f"{answer.body}")
            said = wait_until(lambda: other.find_event("issuer_unreachable"), 10, "the log does not say why")
            check("another issuer" in said["message"], f"the log says why: {said}")


def the_conf_names_who_issues_and_for_whom_over_a_connection_that_is_safe():
    def problem_of(**auth):
        made = dict(server.conf, server={**server.conf["server"], "auth": {"mode": "oauth", **AUTH, **auth}})
        path = server.folder + "/checked.yaml"
        with open(path, "w") as file:
            json.dump(made, file)
        done = run("check", "-c", path)
        return done.stdout + done.stderr if done.returncode else ""
    for issuer_url in ("https://login.example.org", "http://127.0.0.1:5/x", "http://localhost/realm", "http://[::1]:80"):
        check_equal(problem_of(issuer=issuer_url), "", issuer_url)
    for issuer_url in ("http://login.example.org", "http://127.evil.example", "http://localhost.evil.example", "http://[::1].x",
                       "http://localhost@evil.example", "http://127.0.0.1@evil.example", ""):
        check("issuer" in problem_of(issuer=issuer_url), f"the issuer {issuer_url!r} is taken")
    check("keys_url" in problem_of(keys_url="http://login.example.org/keys"), "keys over http")
    check("audience" in problem_of(audience=[]), "no audience")


def keys_that_are_not_for_signatures_are_left_out():
    with Issuer(RESOURCE) as odd:
        rsa, ec = odd.keys["RSA"].public(), odd.keys["P-256"].public()
        odd.published = [{**rsa, "use": "enc"}, {**rsa, "key_ops": ["encrypt"]}, {**ec, "x": b64(b"\1" * 32)}, {"kty": "oct", "k": "AA"},
                         {**rsa, "n": b64(b"\xff" * 64)}, {}, {"kty": 5}, odd.keys["Ed25519"].public()]
        with guarded_server({"auth": {"mode": "oauth", "issuer": odd.url, "audience": [RESOURCE]}}) as other:
            def one(alg):
                return call_modern(other, "echo", {}, {"Authorization": "Bearer " + odd.token(alg)}).status
            check_equal([one("EdDSA"), one("RS256"), one("ES256")], [200, 401, 401], "EdDSA, RS256, ES256")


def wrong_tokens_of_one_address_are_not_looked_at_without_end():
    auth = {"mode": "both", "storage": "main", "issuer": issuer.url, "audience": [RESOURCE], "wrong_keys_per_minute": 20}
    with guarded_server({"auth": auth, "trusted_proxies": ["127.0.0.1"]}) as other:
        stranger = Key(issuer.folder, "guesser", "P-256")
        wrong = [issuer.token(signature=b"\0" * 256), issuer.token(key=stranger, alg="ES256"), issuer.token(aud="https://x.example"),
                 issuer.token(exp=1), "x.y.z"]
        good, fresh = issuer.token(), issuer.token(sub="bob")

        def answer_to(token, address="192.0.2.1"):
            return call_modern(other, "echo", {}, {"Authorization": "Bearer " + token, "X-Forwarded-For": address})
        check_equal(answer_to(good).status, 200, "a good token")
        statuses = [answer_to(wrong[i % len(wrong)]).status for i in range(60)]
        check(set(statuses) == {401, 429} and statuses[0] == 401 and statuses[-1] == 429, f"wrong tokens: {statuses}")
        check(statuses.count(401) <= 26, f"{statuses.count(401)} of them were looked at")
        refused = answer_to(fresh)
        check_equal(refused.status, 429, "one that nobody knows yet")
        check(int(refused.headers["Retry-After"]) <= 4, f"when to come again: {refused.headers['Retry-After']}")
        check_equal([answer_to(good).status for _ in range(10)], [200] * 10, "one that was good")
        check_equal(answer_to(fresh, "192.0.2.2").status, 200, "from another address")
        check_equal(answer_to(fresh).status, 200, "it is known to be good then")
        key = other.run("key", "create", "--name", "k", "--tenant", "t1", "--scopes", "*").stdout.strip()
        check_equal(answer_to(key).status, 429, "an unknown API key is a guess as well")
        wait_until(lambda: answer_to(issuer.token(sub="eve")).status == 200, 8, "no token is ever looked at again")


def a_token_that_expires_is_no_guess():
    auth = {"mode": "oauth", "issuer": issuer.url, "audience": [RESOURCE], "wrong_keys_per_minute": 1}
    with guarded_server({"auth": auth}) as other:
        short = {"Authorization": "Bearer " + issuer.token(exp=int(time.time()) - 57)}
        check_equal(call_modern(other, "echo", {}, short).status, 200, "within the leeway")
        time.sleep(4)
        check_equal(call_modern(other, "echo", {}, short).status, 401, "it has expired")
        again = {"Authorization": "Bearer " + issuer.token()}
        check_equal(call_modern(other, "echo", {}, again).status, 200, "the next one of the same client")


def a_client_that_goes_away_does_not_keep_others_from_the_keys():
    with Issuer(RESOURCE) as slow:
        slow.delay = 0.5
        with guarded_server({"auth": {"mode": "oauth", "issuer": slow.url, "audience": [RESOURCE]}}) as other:
            body, headers = modern_request("tools/list", headers={"Authorization": "Bearer " + slow.token()})
            open_raw(other, raw_post(body, headers)).close()
            answer = modern(other, "tools/list", headers={"Authorization": "Bearer " + slow.token()})
            check_equal(answer.status, 200, f"who came next: {answer.body[:200]}")
            check_equal(slow.fetches(), 1, "the keys were fetched once")


with server:
    run_tests([
        before_the_first_keys_nobody_gets_in_and_the_issuer_is_left_in_peace,
        each_algorithm_is_taken_with_a_key_of_its_kind,
        claims_must_be_for_this_server_and_for_now,
        what_is_no_token_of_the_issuer_is_refused,
        a_token_in_the_address_or_the_body_is_not_taken,
        cached_keys_serve_while_the_issuer_is_down,
        keys_that_nobody_knows_make_the_issuer_be_asked_twice_a_minute_at_most,
        the_document_of_the_resource_says_where_to_get_a_token,
        the_endpoint_of_one_app_is_a_resource_of_its_own,
        too_little_scope_is_told_with_the_scope,
        tenant_and_subject_separate_what_clients_keep,
        keys_and_tokens_live_side_by_side,
        the_token_of_a_client_never_leaves_the_server,
        metadata_of_another_issuer_is_not_taken,
        the_conf_names_who_issues_and_for_whom_over_a_connection_that_is_safe,
        keys_that_are_not_for_signatures_are_left_out,
        wrong_tokens_of_one_address_are_not_looked_at_without_end,
        a_token_that_expires_is_no_guess,
        a_client_that_goes_away_does_not_keep_others_from_the_keys,
    ])
