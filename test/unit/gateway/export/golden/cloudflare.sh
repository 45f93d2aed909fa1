curl --fail-with-body -X POST "https://api.cloudflare.com/client/v4/accounts/$CLOUDFLARE_ACCOUNT_ID/ai-gateway/custom-providers" \
  -H "Authorization: Bearer $CLOUDFLARE_API_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
  "name": "byom",
  "slug": "byom",
  "base_url": "https://models.example.com",
  "enable": true,
  "description": "Models of a byom platform"
}'

curl --fail-with-body -X POST "https://api.cloudflare.com/client/v4/accounts/$CLOUDFLARE_ACCOUNT_ID/ai-gateway/gateways/$CLOUDFLARE_GATEWAY_ID/provider_configs" \
  -H "Authorization: Bearer $CLOUDFLARE_API_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
  "provider_slug": "custom-byom",
  "alias": "byom",
  "default_config": true,
  "secret": "'"$BYOM_API_KEY"'"
}'

# A call: the model's name is custom-byom/MODEL.

curl --fail-with-body -X POST "https://gateway.ai.cloudflare.com/v1/$CLOUDFLARE_ACCOUNT_ID/$CLOUDFLARE_GATEWAY_ID/compat/chat/completions" \
  -H "cf-aig-authorization: Bearer $CLOUDFLARE_API_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
  "model": "custom-byom/me/chat",
  "messages": [
    {
      "role": "user",
      "content": "Hello"
    }
  ]
}'
