"""The test of a handler that the post describes and has commented out; `client` is Flask's test client."""


def test_a_missing_address_is_a_validation_error(client):
    response = client.post("/users", json={"name": "Test"})
    assert response.status_code == 400
    assert response.json["error"] == "VALIDATION_ERROR"
    assert "email" in response.json["details"].get("field", "")
