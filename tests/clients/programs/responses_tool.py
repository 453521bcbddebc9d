"""What the clients of the Responses API ask for."""

MODEL = "gpt-5.6-sol"
TOOL = {
    "type": "function",
    "name": "stock_of",
    "description": "Says how many there are.",
    "parameters": {"type": "object", "properties": {"article": {"type": "string"}}, "required": ["article"]},
    "strict": True,
}
