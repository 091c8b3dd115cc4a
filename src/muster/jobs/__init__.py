"""Background work: requests as rows of Muster's own transaction, carried out durably by DBOS behind them."""
