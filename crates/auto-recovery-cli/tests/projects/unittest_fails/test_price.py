import unittest


class Price(unittest.TestCase):
    def test_connection_timeout(self):
        self.assertEqual(10 * 2, 30)
