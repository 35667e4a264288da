from __future__ import annotations

from ms_agents.planning.retreat import Retreat, calm_segments


def test_falls_at_one_place_are_counted_and_one_beyond_it_begins_anew():
    first = Retreat().after_fall(50, margin=15)
    again = first.after_fall(45, margin=15).after_fall(60, margin=15)
    assert (first.attempts, again) == (1, Retreat(60, 3))
    assert again.after_fall(76, margin=15) == Retreat(76, 1)


def test_the_search_is_harder_until_the_obstacle_is_behind():
    retreat = Retreat(50, 2)
    assert [retreat.effort(step, margin=15) for step in (0, 64, 65)] == [2, 2, 0]
    assert Retreat().effort(0, margin=15) == 0


def test_the_search_begins_again_where_the_cost_was_ordinary():
    assert calm_segments([5, 9, 6, 5, 8, 20, 40, 80]) == 5
    assert calm_segments([5, 9, 6, 40, float("nan")]) == 3
    assert calm_segments([]) == 0
