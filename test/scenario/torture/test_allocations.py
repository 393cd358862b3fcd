"""After warm-up a request allocates nothing on the heap: all it needs comes from pooled pages."""
import os

import pytest
import rig


@pytest.mark.skipif("release" not in os.environ.get("GATE", "release"), reason="release build only")
def test_a_request_allocates_nothing(gate, server):
    allocations = rig.Allocations()
    s = server()
    g = gate({"consumers": {"acme": {"api_key": "a-key-of-enough-letters"}}}, upstream=s,
             preload=allocations, policies={"auth": "api_key", "rate_limit": "1000000/s"})
    key = {"X-API-Key": "a-key-of-enough-letters"}

    def many(count):
        c = g.raw()
        for i in range(count):
            assert c.post(f"/{i}", b"x" * 3000, key).status == 200
        c.close()
    many(300)
    before = allocations.count
    assert before > 0, "nothing was counted at all"
    many(1000)
    assert allocations.count - before < 20
