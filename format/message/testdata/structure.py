# Reads messages, each after a line with its length, and prints what Python's
# email package makes of each: one line of JSON.
import email.message, email.parser, email.policy, email.utils, json, sys

policy = email.policy.compat32.clone(linesep="\r\n", max_line_length=0, mangle_from_=False)

def params(value):
    out = []
    for p in list(email.message._parseparam(";" + value)):
        if "=" in p:
            name, _, v = p.partition("=")
            out.append([name.strip().lower(), email.utils.unquote(v.strip())])
    return out

def head(value):
    first, _, rest = value.partition(";")
    return first.strip(), params(rest) if rest else []

def text(part, name):
    v = part.get(name)
    return "" if v is None else str(v).replace("\r", "").replace("\n", "")

def addresses(part, *names):
    for n in names:
        got = [[a, b] for a, b in email.utils.getaddresses([text(part, n)]) if b]
        if got:
            return got
    return []

def envelope(m):
    return [text(m, "date"), text(m, "subject"), addresses(m, "from"), addresses(m, "sender", "from"), addresses(m, "reply-to", "from"),
            addresses(m, "to"), addresses(m, "cc"), addresses(m, "bcc"), text(m, "in-reply-to"), text(m, "message-id")]

def structure(part):
    kind, subtype = part.get_content_type().split("/")
    _, ps = head(text(part, "content-type"))
    disposition, dps = head(text(part, "content-disposition"))
    out = {"type": kind, "subtype": subtype, "params": ps, "id": text(part, "content-id"), "description": text(part, "content-description"),
           "encoding": text(part, "content-transfer-encoding").lower(), "disposition": disposition, "dparams": dps}
    if kind == "multipart":
        out["parts"] = [structure(p) for p in part.get_payload()]
    elif kind == "message" and subtype == "rfc822":
        inner = part.get_payload(0)
        raw = inner.as_bytes(policy=policy)
        out.update(size=len(raw), lines=raw.count(b"\n"), envelope=envelope(inner), message=structure(inner))
    else:
        body = part._payload  # get_payload would decode 8-bit text
        if isinstance(body, list):  # message/delivery-status is a list of header blocks
            body = "".join(p.as_bytes(policy=policy).decode("ascii", "surrogateescape") for p in body)
            raw = body.encode("ascii", "surrogateescape")
        else:
            raw = body.encode("ascii", "surrogateescape")
            out.update(size=len(raw), lines=raw.count(b"\n"))
    return out

if __name__ == "__main__":
    while True:
        line = sys.stdin.buffer.readline()
        if not line:
            break
        m = email.parser.BytesParser(policy=policy).parsebytes(sys.stdin.buffer.read(int(line)))
        print(json.dumps({"envelope": envelope(m), "structure": structure(m)}))
