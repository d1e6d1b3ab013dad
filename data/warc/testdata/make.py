"""Makes pages.warc.gz and pages.jsonl, what Dolma 1.2.1 (fastwarc 2.0.1,
resiliparse 2.0.1, w3lib 2.5.0, url-normalize 3.1.0) makes of it. Usage: make.py FOLDER"""
import base64, gzip, hashlib, json, os, subprocess, sys, tempfile
out = sys.argv[1]
page = lambda body, head="": f"<html><head><title>T</title>{head}</head><body><nav><a href=/>Home</a></nav>{body}<footer>Imprint</footer></body></html>"
text = "<h1>Heading</h1><p>A paragraph of some words, that says a thing or two.</p><ul><li>one</li></ul><div><div><div><div><ul><li>first item of a list</li><li>second</li></ul></div></div></div></div>"
cc = '<a rel="license" href="https://creativecommons.org/licenses/by-sa/4.0/">CC</a>'
records = [
    ("warcinfo", None, {"WARC-Filename": "pages.warc.gz"}, None, b"software: make.py\r\n"),
    ("request", "http://example.com/", {}, None, b"GET / HTTP/1.1\r\n\r\n"),
    ("response", "http://www.example.com/a/../b?y=2&x=1#f", {}, {"Content-Type": "text/html; charset=utf-8", "Date": "Thu, 25 Apr 2024 16:24:44 GMT"}, page(text).encode()),
    ("response", "<https://example.com/latin/>", {}, {"Content-Type": "text/html; charset=iso-8859-1", "Date": "Fri, 26 Apr 2024 01:02:03 GMT"}, page("<p>Größe und Maß, ein Satz.</p>").encode("latin-1")),
    ("response", "https://example.com/undeclared", {}, {"Content-Type": "text/html", "Date": "Fri, 26 Apr 2024 01:02:04 GMT"}, page("<p>Größe und Maß, ein Satz in UTF-8.</p>" + text).encode()),
    ("response", "https://example.com/cc", {}, {"Content-Type": "text/html; charset=utf-8", "Date": "Fri, 26 Apr 2024 01:02:05 GMT"}, page(text + cc).encode()),
    ("response", "https://example.com/empty", {}, {"Content-Type": "text/html; charset=utf-8", "Date": "Fri, 26 Apr 2024 01:02:05 GMT"}, b" \n"),
    ("response", "https://example.com/404", {}, {":": "HTTP/1.1 404 Not Found", "Content-Type": "text/html; charset=utf-8", "Date": "Fri, 26 Apr 2024 01:02:06 GMT"}, page("<p>Not found</p>").encode()),
    ("response", "https://example.com/nodigest", {"WARC-Payload-Digest": None}, {"Content-Type": "text/html; charset=utf-8", "Date": "Fri, 26 Apr 2024 01:02:06 GMT"}, page(text).encode()),
    ("resource", "https://example.com/resource", {"Content-Type": "text/html; charset=utf-8"}, None, page("<p>A resource, not a response.</p>").encode()),
    ("metadata", "https://example.com/", {}, None, b"fetchTimeMs: 1\r\n"),
    ("response", "https://example.com/xhtml", {}, {"Content-Type": "application/xhtml+xml;charset=UTF-8", "Date": "Fri, 26 Apr 2024 01:02:07 GMT"}, page("<p>An XHTML page<br/>in two lines</p><pre>code\n  indented</pre>").encode()),
]
data = b""
for i, (kind, uri, more, http, body) in enumerate(records):
    block = body
    h = {"WARC-Type": kind, "WARC-Record-ID": f"<urn:uuid:00000000-0000-4000-8000-{i:012d}>", "WARC-Date": f"2024-05-01T00:00:{i:02d}Z"}
    if uri: h["WARC-Target-URI"] = uri
    if http is not None:
        status = http.pop(":", "HTTP/1.1 200 OK")
        block = (status + "\r\n" + "".join(f"{k}: {v}\r\n" for k, v in http.items()) + "\r\n").encode() + body
        h["Content-Type"] = "application/http; msgtype=response"
    h["WARC-Payload-Digest"] = "sha1:" + base64.b32encode(hashlib.sha1(body).digest()).decode()
    h.update(more)
    h["Content-Length"] = str(len(block))
    rec = ("WARC/1.0\r\n" + "".join(f"{k}: {v}\r\n" for k, v in h.items() if v is not None) + "\r\n").encode() + block + b"\r\n\r\n"
    data += gzip.compress(rec, mtime=0)
open(f"{out}/pages.warc.gz", "wb").write(data)
with tempfile.TemporaryDirectory() as tmp:
    subprocess.run([os.path.dirname(sys.executable) + "/dolma", "warc", "--documents", f"{out}/pages.warc.gz", "--destination", tmp, "--source_name", "test",
                    "--store_html_in_metadata", "--pre.taggers", "cc_re", "cc_re_fast", "--post.taggers", "char_length_v1", "gopher_v2"], check=True, capture_output=True)
    lines = gzip.open(f"{tmp}/pages.jsonl.gz").read().decode().splitlines()
with open(f"{out}/pages.jsonl", "w") as f:
    f.write("\n".join(lines) + "\n")
