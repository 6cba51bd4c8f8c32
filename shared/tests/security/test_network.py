from grove.security.network import network_of, truncated


def test_limits_count_by_address_or_by_ipv6_network():
    assert network_of("203.0.113.9") == "203.0.113.9"
    assert network_of("2001:db8:1:2:3:4:5:6") == network_of("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert network_of("::ffff:203.0.113.9") == "203.0.113.9"
    assert network_of(None) == "unknown"


def test_what_is_shown_is_truncated():
    assert truncated("203.0.113.9") == "203.0.113.0"
    assert truncated("2001:db8:1:2:3:4:5:6") == "2001:db8:1::"
    assert truncated(None) == ""
