"""The catalogue: which titles a page of it shows, and what is counted of each."""
