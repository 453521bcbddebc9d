"""What upstream wrote is text in the page, and nothing else."""

from typing import Any

from tests.operations.browsing import window
from tests.operations.documents import NOW, entry, mark, row, sources, span, timeline
from tests.operations.stand_in import StandIn

# What upstream wrote ----------------------------------------------------------------------------------------

ATTACKS = [
    "<script>document.title='ran'</script>",
    "<img src=x onerror=\"document.title='ran'\">",
    "<svg onload=\"document.title='ran'\"><animate onbegin=\"document.title='ran'\"/></svg>",
    "<a href=\"javascript:document.title='ran'\">click</a>",
    "javascript:document.title='ran'",
    "{{constructor.constructor('document.title=1')()}} ${document.title='ran'} #{7*7} <%= 7*7 %>",
    "</p></li></ol><style>*{display:none}</style><iframe src=//example.com></iframe>",
    "]]></text></svg><script>document.title='ran'</script>",
    "\u202egnp.exe\u2066 \u2028\u0000\u001b[31m",
    "W" * 5_000,
    "e\u0301" * 400 + "".join(chr(0x300 + n) for n in range(100)),
    "__proto__",
]


def test_what_upstream_wrote_runs_nothing(chromium: Any, served: StandIn) -> None:
    """Each text stands as it was written, wherever one may stand: keys, models, labels, tools, details, transcript."""
    attack = "desk/<img src=x onerror=alert(1)>#2%2F\u202e'\"&"
    head = row(attack, model=ATTACKS[0], source=ATTACKS[1], labels={ATTACKS[2]: ATTACKS[3]}, kind=ATTACKS[0])
    served.rows = [head]
    served.sources = sources(**{ATTACKS[1]: ATTACKS[0]})
    spans = [
        span(lane, f"{text} {lane}", NOW - 50 + n, NOW - 45 + n, label=text, status=text, detail={text: text})
        for n, text in enumerate(ATTACKS)
        for lane in ("speech", "response", "tool", "step", text)
    ]
    spans[1]["cost"] = {"usd": None, "unpriced": ATTACKS[0], "model": ATTACKS[1], "lines": []}
    names = dict.fromkeys(("rate", "per", "quantity", "direction", "modality"), ATTACKS[0])
    spans[2]["cost"] = {"usd": "1", "unpriced": None, "model": ATTACKS[1], "lines": [{**names, "cached": None}]}
    marks = [mark(text, NOW - 20, text, **{text: text}) for text in ATTACKS]
    spoken = [entry(f"{n}", NOW - 9, text, text, heard=text[:9], status=text) for n, text in enumerate(ATTACKS)]
    document = timeline(head, spans=spans, marks=marks, transcript=spoken)
    served.timelines[attack] = document
    with window(chromium, served.address) as opened:
        page = opened.page
        page.locator("tbody a.key").click()
        page.locator(".transcript li").nth(len(ATTACKS) - 1).wait_for()
        for group in page.locator("g.span, g.mark").all():
            group.dispatch_event("pointerover")
            group.dispatch_event("click")
        page.locator(".as-table summary").click()
        texts = page.locator(".transcript .text").all_text_contents()
        elements = page.locator("script:not([src]), iframe, style, main img, main a:not([href^='#']), animate").count()
        wide = page.evaluate("document.documentElement.scrollWidth <= innerWidth")

        assert "ran" not in page.title()
        assert elements == 0
        assert texts[0].replace("not heard: ", "") == ATTACKS[0]
        assert "[U+202E]gnp.exe" in texts[8]
        assert wide
        assert all(url.startswith(served.address) for url in opened.asked)
