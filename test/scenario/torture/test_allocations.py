"""After warm-up a request allocates nothing on the heap: all it needs comes from pooled pages."""
import pytest
import rig
from rig import gate as rig_gate


@pytest.mark.skipif(rig_gate.is_sanitized(rig_gate.binary()), reason="a sanitizer has its own heap")
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
