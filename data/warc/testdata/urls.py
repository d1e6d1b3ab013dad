"""Makes urls.jsonl with Dolma 1.2.1's UrlNormalizer (w3lib 2.5.0, url-normalize
3.1.0). Usage: urls.py > urls.jsonl"""
import json
from dolma.warc.utils import UrlNormalizer
n=UrlNormalizer()
urls="""http://example.com
https://www.example.com/
<https://soldaini.net/>
"http://www2.Example.COM/A/B/"
http://example.com:80/x
https://example.com:443/x
https://example.com:8443/x
http://example.com/a/./b/../c//d
http://example.com/do?c=3&b=5&b=2&a=50
http://example.com/do?q=a+b%20c&x=
http://example.com/do?&&a
http://example.com/path#fragment
http://example.com/r\u00e9sum\u00e9?q=\u00e9
http://example.com/r%c3%a9sum%c3%a9
http://example.com/r%E9sum%E9
http://b\u00fccher.example/x
http://xn--bcher-kva.example/x
http://user:pw@example.com/x
http://example.com./x
http://example.com/%7Euser/%2e%2e/x
http://example.com/a%2Fb%3Fc
http://example.com/a b
http://www.www.example.com/www.x/
http://example.com/index.php?id=1&amp;x=2
http://example.com/?utm_source=x&b=1;c=2
http://[::1]:8080/x
http://192.168.0.1/x
http://example.com/a;v=1/b,c
http://example.com/?a=%26%3D%23
http://example.com/?a=b%2Fc/d:e@f
http://example.com//double
http://example.com/x?a=1&a=1
http://WWW.EXAMPLE.COM
http://example.com/%
http://example.com/%zz
http://example.com/e\u0301
ftp://example.com/file
http://example.com/x///
http://example.com/x?y=/
http://example.com/?
http://example.com?a=b
HTTP://example.com/UP?Q=R""".split("\n")
urls+=["http://example.com/p"+chr(c)+"q" for c in range(0x21,0x7f) if chr(c) not in "#?"]
urls+=["http://example.com/p%%%02xq"%c for c in range(0x20,0x80)]
urls+=["http://example.com/?k"+chr(c)+"q=v" for c in range(0x21,0x7f) if chr(c) not in "#"]
urls+=["http://example.com/?k=v%%%02xw"%c for c in range(0x20,0x80)]
for u in urls:
    try: r=n(u)
    except Exception as e: r=None
    print(json.dumps([u,r]))
