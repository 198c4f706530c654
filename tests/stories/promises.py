"""A desk that promises something, in a week of Tallinn."""

from datetime import datetime
from zoneinfo import ZoneInfo

from tests.stories.driver import CONFIG

TALLINN = ZoneInfo("Europe/Tallinn")
MONDAY = datetime(2026, 11, 23, 9, tzinfo=TALLINN)
PROMISES = (
    CONFIG.replace('name = "support"', 'name = "support"\nsla = "standard"\nlead = "carla@acme.example"', 1)
    + """
[[agent]]
name = "Carla"
address = "carla@acme.example"
departments = ["sales"]

[sla.standard]
calendar = "office"
first_response = { normal = "4h", urgent = "1h" }
next_response = { normal = "2h" }
resolution = { normal = "5bd" }

[sla.gold]
domains = ["vip.example"]
calendar = "office"
first_response = { normal = "1h" }

[calendar.office]
timezone = "Europe/Tallinn"
holidays = "EE"
"""
)
