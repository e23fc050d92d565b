# Reads INBOX over IMAP and compares ENVELOPE and BODYSTRUCTURE of every message
# with what Python's email package makes of its bytes. Standard input has a
# letter for each message: y, compare; n, it is malformed, only read.
import email.parser, imaplib, re, ssl, sys

from structure import envelope, policy, structure

imaplib._MAXLINE = 10_000_000

def parse(s, i):
    """One value of RFC 9051's grammar at s[i:], and where it ends."""
    if s[i:i + 1] == b"(":
        out, i = [], i + 1
        while s[i:i + 1] != b")":
            v, i = parse(s, i)
            out.append(v)
            if s[i:i + 1] == b" ":
                i += 1
        return out, i + 1
    if s[i:i + 1] == b'"':
        m = re.compile(rb'"((?:[^"\\\r\n]|\\["\\])*)"').match(s, i)
        return re.sub(rb"\\(.)", rb"\1", m[1]).decode("ascii"), m.end()
    if s[i:i + 1] == b"{":
        m = re.compile(rb"\{(\d+)\}\r\n").match(s, i)
        end = m.end() + int(m[1])
        return s[m.end():end].decode("ascii"), end
    m = re.compile(rb"[A-Za-z0-9.]+").match(s, i)
    word = m[0].decode("ascii")
    return None if word == "NIL" else int(word) if word.isdigit() else word, m.end()

def pairs(l):
    return [[l[i].lower(), l[i + 1]] for i in range(0, len(l or []), 2)]

def disposition(d):
    return {"disposition": d[0] if d else "", "dparams": pairs(d[1]) if d else []}

def ours(b):
    """BODYSTRUCTURE as structure() would have it."""
    if isinstance(b[0], list):
        n = next(i for i, v in enumerate(b) if not isinstance(v, list))
        kind, params, disp = b[n:n + 3]
        return {"type": "multipart", "subtype": kind, "params": pairs(params), **disposition(disp), "parts": [ours(p) for p in b[:n]]}
    out = {"type": b[0], "subtype": b[1], "params": pairs(b[2]), "id": b[3] or "", "description": b[4] or "", "encoding": b[5].lower(), "size": b[6]}
    rest = b[7:]
    if (b[0], b[1]) == ("message", "rfc822"):
        out.update(envelope=told(rest[0]), message=ours(rest[1]), lines=rest[2])
        rest = rest[3:]
    elif b[0] == "text":
        out["lines"], rest = rest[0], rest[1:]
    return {**out, **disposition(rest[1])}

def told(e):
    """ENVELOPE as envelope() would have it."""
    people = lambda l: [[a[0] or "", a[2] + "@" + a[3]] for a in l or []]
    return [e[0] or "", e[1] or ""] + [people(l) for l in e[2:8]] + [e[8] or "", e[9] or ""]

def theirs(s, b):
    """What Python says, as far as IMAP says it too."""
    s = dict(s)
    if s["type"] == "multipart":
        for k in ("id", "description", "encoding"):
            s.pop(k)
        s["parts"] = [theirs(p, q) for p, q in zip(s["parts"], b.get("parts", []))]
        return s
    s["encoding"] = s["encoding"] or "7bit"
    if (s["type"], s["subtype"]) == ("text", "plain") and not s["params"]:
        s["params"] = [["charset", "us-ascii"]]
    if "message" in s:
        s["message"] = theirs(s["message"], b.get("message", {}))
    elif s["type"] != "text":
        s.pop("lines", None)
    for k in ("size", "lines"):
        if k not in s and k in b:
            s[k] = b[k]  # of header blocks, which Python does not keep as they were
    return s

def leaves(part, path=""):
    """Each part that has no parts, with its number (RFC 9051 section 6.4.5.1) and its bytes."""
    payload = part._payload  # get_payload would decode 8-bit text
    if part.get_content_maintype() == "multipart":
        for i, p in enumerate(payload, 1):
            number = f"{path}.{i}".lstrip(".")
            yield from leaves(p, number)
    elif part.get_content_type() == "message/rfc822" and isinstance(payload, list):
        inner = payload[0]
        path = path or "1"
        yield from leaves(inner, path if inner.get_content_maintype() == "multipart" else path + ".1")
    elif isinstance(payload, str):
        yield path or "1", payload.encode("ascii", "surrogateescape")

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
sane = sys.stdin.read()
tls = ssl.create_default_context()
tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
c = imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=tls)
c.login(user, password)
c.select("INBOX", readonly=True)
bad = 0

def compare(n, what, mine, yours):
    global bad
    if mine != yours:
        bad += 1
        print(n, what, mine, "Python:", yours, sep="\n  ")

for n, y in enumerate(sane, 1):
    _, answer = c.fetch(str(n), "(ENVELOPE BODYSTRUCTURE)")
    line = b"".join(p if isinstance(p, bytes) else p[0] + b"\r\n" + p[1] for p in answer)
    items, _ = parse(line, line.index(b"("))
    got = dict(zip(items[::2], items[1::2]))
    mine = ours(got["BODYSTRUCTURE"])
    if y == "y":
        _, answer = c.fetch(str(n), "(BODY.PEEK[])")
        m = email.parser.BytesParser(policy=policy).parsebytes(answer[0][1])
        compare(n, "ENVELOPE", told(got["ENVELOPE"]), envelope(m))
        compare(n, "BODYSTRUCTURE", mine, theirs(structure(m), mine))
        for number, body in leaves(m):
            _, answer = c.fetch(str(n), f"(BODY.PEEK[{number}])")
            if answer[0][1] != body:
                bad += 1
                print(n, f"BODY[{number}]: {len(answer[0][1])} bytes, Python: {len(body)}")
sys.exit(bad > 0)
