module example.com/guest

go 1.26.0

require github.com/smarthausgroup/caio/sdk/adapter v0.0.0

replace github.com/smarthausgroup/caio/sdk/adapter => ../../../../sdk/adapter
