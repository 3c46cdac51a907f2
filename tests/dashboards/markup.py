"""Reading a page as a browser would, to find what the content security policy forbids."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """`problems` are sentences; `links` the addresses of the page's own links,
    `writes` where its forms post to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.links: list[str] = []
        self.writes: list[str] = []
        self.headings: list[str] = []
        self.unnamed: list[str] = []
        self._script: str | None = None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "style" or "style" in values:
            self.problems.append(f"inline style on <{tag}>")
        self.problems += [f"handler {name} on <{tag}>" for name in values if name.startswith("on")]
        address = values.get("src") or values.get("href") or ""
        if tag in ("script", "link", "img") and address.startswith(("http:", "https:", "//")):
            self.problems.append(f"{tag} from another site: {address}")
        if address.startswith("javascript:"):
            self.problems.append(f"javascript: address on <{tag}>")
        if tag == "script" and "src" not in values and values.get("type") != "application/json":
            self._script = ""
        if tag == "a" and address.startswith("/"):
            self.links.append(address)
        if tag == "form" and values.get("method", "").lower() == "post" and values.get("action"):
            self.writes.append(values["action"])
        if tag in ("h1", "h2", "h3"):
            self.headings.append(tag)
        if tag == "table":
            self.unnamed.append("table")
        if tag == "caption":
            self.unnamed.pop()

    def handle_data(self, data):
        if self._script is not None and data.strip():
            self.problems.append(f"inline script: {data.strip()[:40]}")

    def handle_endtag(self, tag):
        if tag == "script":
            self._script = None
