"""`gate fmt`: canonical form, comments kept, meaning kept."""
import pytest
import yaml

MESSY = """


#first comment
apis:
    orders:   # at the end of a line

        # about the upstream
        upstream:  http://localhost:9000
        policies: {auth: api_key,rate_limit: 100/min , headers: {request: {set: {A: b}}}}
        routes:
            GET /{id}:  {}
            POST /:
                auth: [ api_key ]
                # end of post
            # end of routes
        title: "Orders and
          more"
        owner: >-
           a folded
             text

           of lines
upstreams:
  x:
    targets:
    - url: http://a:1
      weight:  2
    -   url: http://b:1
        weight: 3
    balance: hash


#the end
"""
NEAT = """# first comment
apis:
  orders:   # at the end of a line

    # about the upstream
    upstream:  http://localhost:9000
    policies: { auth: api_key, rate_limit: 100/min, headers: { request: { set: { A: b } } } }
    routes:
      GET /{id}:  {}
      POST /:
        auth: [api_key]
        # end of post
      # end of routes
    title: "Orders and
      more"
    owner: >-
       a folded
         text

       of lines
upstreams:
  x:
    targets:
      - url: http://a:1
        weight:  2
      - url: http://b:1
        weight: 3
    balance: hash

# the end
"""


def test_the_form_is_canonical_and_stable(folder):
    assert folder.gate("fmt", "-", stdin=MESSY, code=0).out == NEAT
    assert folder.gate("fmt", "-", stdin=NEAT, code=0).out == NEAT
    assert yaml.safe_load(MESSY) == yaml.safe_load(NEAT)


@pytest.mark.parametrize("text", [
    "a: |\n     x # no comment\n\n       y   \nb: 1\n",
    "a: 'it''s\n\n   long'\nb: {c: 'x,y', d: \"}\"}\n",
    "a:\n-\n  b: 1\n- c\n",
    "{a: [1,2,{b: c}],\n  # here\n  d: e}\n",
    "a: b\r\nc:\r\n    - d\r\n",
    "? x\n",
    "a: # nothing\nb:\n",
    "",
    "# only a comment",
])
def test_whatever_is_written_means_the_same_afterwards(folder, text):
    run = folder.gate("fmt", "-", stdin=text)
    if run.code == 0:
        assert yaml.safe_load(run.out) == yaml.safe_load(text)
        assert folder.gate("fmt", "-", stdin=run.out, code=0).out == run.out
    else:
        assert run.code == 78 and "error[E101]" in run.err


def test_files_are_written_and_named(folder):
    folder.write("gateway.yaml", "include:  [ apis/*.yaml ]\n")
    folder.write("apis/a.yaml", "apis:\n    a: {upstream: http://localhost:1}\n")
    folder.write("apis/b.yaml", "apis:\n  b: { upstream: http://localhost:1 }\n")
    r = folder.gate("fmt", "--check", code=1)
    assert r.out.split() == ["gateway.yaml", "apis/a.yaml"]
    folder.gate("fmt", code=64)
    before = (folder.path / "apis/b.yaml").stat().st_mtime_ns
    folder.gate("fmt", "-w", code=0)
    assert folder.read("apis/a.yaml") == "apis:\n  a: { upstream: http://localhost:1 }\n"
    assert (folder.path / "apis/b.yaml").stat().st_mtime_ns == before
    folder.gate("fmt", "--check", code=0)


def test_json_is_indented(folder):
    folder.write("g.json", '{"apis":{"a":{"upstream":"http://localhost:1"}}}')
    folder.gate("fmt", "-w", "g.json", code=0)
    assert folder.read("g.json").startswith('{\n  "apis": {\n')


def test_what_cannot_be_read_is_left_alone(folder):
    folder.write("g.yaml", "a: [1\nb: 2\n")
    assert "error[E101]" in folder.gate("fmt", "-w", "g.yaml", code=78).err
    assert folder.read("g.yaml") == "a: [1\nb: 2\n"
    folder.gate("fmt", "nope.yaml", code=66)
    folder.gate("fmt", "-w", "--check", "g.yaml", code=64)


def test_permissions_stay(folder):
    path = folder.write("g.yaml", "apis:\n    a: { upstream: http://localhost:1 }\n")
    path.chmod(0o600)
    folder.gate("fmt", "-w", "g.yaml", code=0)
    assert path.stat().st_mode & 0o777 == 0o600
