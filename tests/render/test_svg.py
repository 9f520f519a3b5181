import re
from xml.etree import ElementTree as ET

from inspector.render.charts import Points, Series
from inspector.render.svg import svg_points

HOSTILE = '"><script>alert(1)</script>\u202e'


def plot(**changes: object) -> str:
    fields = {
        "title": "QQ", "x_name": "expected", "y_name": "z", "x_range": (-1.0, 1.0),
        "y_range": (-2.0, 2.0),
        "series": [Series(name="null", x=[-1.0, 0.0, 1.0], y=[-2.0, 0.0, 9.0])],
    }  # fmt: skip
    return "".join(svg_points(Points(**{**fields, **changes})))  # type: ignore[arg-type]


def picture(text: str) -> ET.Element:
    return ET.fromstring(text[text.index("<svg") :])  # noqa: S314 - our own


def test_points_lie_between_the_corners_of_the_frame_and_at_its_edge_beyond() -> None:
    svg = picture(plot())
    frame = svg.find("rect")
    path = svg.find("path")
    assert frame is not None
    assert path is not None
    left, top, width, height = (float(frame.get(n, "")) for n in ("x", "y", "width", "height"))
    dots = [(float(x), float(y)) for x, y in re.findall(r"M([\d.]+) ([\d.]+)h0", path.get("d", ""))]
    assert dots == [(left, top + height), (left + width / 2, top + height / 2), (left + width, top)]


def test_the_line_is_where_both_are_equal_as_far_as_both_axes_go() -> None:
    svg = picture(plot())
    frame, line = svg.find("rect"), svg.find("line")
    assert frame is not None
    assert line is not None
    left, top, width, height = (float(frame.get(n, "")) for n in ("x", "y", "width", "height"))
    ends = [float(line.get(n, "")) for n in ("x1", "y1", "x2", "y2")]
    assert ends == [left, top + height * 3 / 4, left + width, top + height / 4]


def test_names_of_strangers_are_text() -> None:
    text = plot(title=HOSTILE, x_name=HOSTILE, y_name=HOSTILE,
                series=[Series(name=HOSTILE, x=[0], y=[0])])  # fmt: skip
    assert "<script" not in text
    assert "\u202e" not in text
    assert picture(text).get("aria-label", "").startswith('"><script>')
