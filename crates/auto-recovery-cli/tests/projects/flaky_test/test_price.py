import os


def test_price():
    # Outside of the project, as a database or another machine would be.
    runs = os.path.expanduser("~/runs")
    with open(runs, "a") as file:
        file.write("x")
    assert os.path.getsize(runs) >= 3
